//! Reading a catalogue file. Its notation is described in `catalogue/README.md`.

use std::collections::HashMap;

use super::{
    Access, Action, ConfigKey, ConfigType, Direction, Edition, EnumType, ObjectType, Part, Role, Rpc,
    TextLimits, Variable,
};
use crate::error_codes::{Fault, FaultRow};

mod field;

use field::number;

/// What is wrong with a catalogue.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("catalogue line {line}: {what}")]
pub struct CatalogueError {
    /// Line of the file, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// Where the fields that follow belong.
enum Open {
    Nothing,
    Type {
        line: usize,
        object: ObjectType,
    },
    Message {
        line: usize,
        action: Box<Action>,
        part: Option<Part>,
        seen: u8,
    },
}

struct Reader {
    edition: Edition,
    documents: HashMap<String, String>,
    enums: HashMap<String, &'static EnumType>,
    types: HashMap<String, &'static ObjectType>,
    /// The words of fields that every closed object below has.
    everywhere: Vec<Vec<String>>,
    open: Open,
}

impl Edition {
    /// Reads a catalogue. Its named types live for ever: a catalogue is read once per process.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let edition = Self {
            name: String::new(),
            subprotocol: String::new(),
            codes: Vec::new(),
            variants: Vec::new(),
            faults: Vec::new(),
            enums: Vec::new(),
            types: Vec::new(),
            actions: Vec::new(),
            config_keys: Vec::new(),
            variables: Vec::new(),
            roles: [Role::STATION, Role::CSMS],
            limits: TextLimits::default(),
            rpc: Rpc::default(),
        };
        let (documents, enums, types) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut reader = Reader {
            edition,
            documents,
            enums,
            types,
            everywhere: Vec::new(),
            open: Open::Nothing,
        };
        for (line, text) in logical_lines(text) {
            reader
                .line(line, &text)
                .map_err(|what| CatalogueError { line, what })?;
        }
        reader
            .close()
            .map_err(|(line, what)| CatalogueError { line, what })?;
        if reader.edition.name.is_empty() {
            return Err(CatalogueError {
                line: 1,
                what: "there is no `edition` line".to_owned(),
            });
        }
        Ok(reader.edition)
    }
}

/// Lines with their number, comments and empty ones left out, `+` lines joined to the one before.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.trim_end();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match (line.strip_prefix('+'), lines.last_mut()) {
            (Some(more), Some((_, last))) => last.push_str(more),
            _ => lines.push((n + 1, line.to_owned())),
        }
    }
    lines
}

impl Reader {
    fn line(&mut self, line: usize, text: &str) -> Result<(), String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        if text.starts_with(' ') {
            return self.inner(&words);
        }
        self.close().map_err(|(_, what)| what)?;
        match words.as_slice() {
            ["edition", name, subprotocol] => {
                (*name).clone_into(&mut self.edition.name);
                (*subprotocol).clone_into(&mut self.edition.subprotocol);
            }
            ["document", letter, name] => {
                self.documents.insert((*letter).to_owned(), (*name).to_owned());
            }
            ["codes", codes @ ..] => self.edition.codes = owned(codes),
            ["variant", wrong, right] => {
                self.known_code(right)?;
                self.edition
                    .variants
                    .push(((*wrong).to_owned(), (*right).to_owned()));
            }
            ["fault", fault, preferred] => self.fault(fault, preferred, &[], false)?,
            ["fault", fault, preferred, "may", may @ ..] => self.fault(fault, preferred, may, false)?,
            ["fault", fault, preferred, "lenient", "may", may @ ..] => {
                self.fault(fault, preferred, may, true)?;
            }
            ["enum", name, literals @ ..] if !literals.is_empty() => self.enumeration(name, literals)?,
            ["type", name, rest @ ..] if matches!(rest, [] | ["open"]) => {
                let mut object = object((*name).to_owned());
                object.open = !rest.is_empty();
                self.open = Open::Type { line, object };
            }
            ["everywhere", field @ ..] => {
                self.field(field)?;
                self.everywhere.push(owned(field));
            }
            ["limit", "fraction", digits] => {
                self.edition.limits.second_digits = Some(number(digits)?);
            }
            ["limit", "places", towards, places] => {
                let role = towards.parse::<Role>()?;
                self.edition.limits.places_towards = Some((role, number(places)?));
            }
            ["rpc", letter, rest @ ..] => self.rpc(letter, rest)?,
            [
                "msg",
                name,
                sender,
                profile,
                block,
                clause,
                request,
                response,
                flags @ ..,
            ] => {
                let clauses = [*clause, *request, *response];
                let action = self.action(name, sender, profile, block, clauses, flags)?;
                self.open = Open::Message {
                    line,
                    action: Box::new(action),
                    part: None,
                    seen: 0,
                };
            }
            ["config", name, profile, need, access, ty, clause, rest @ ..] => {
                let key = self.config(name, profile, need, access, ty, clause, rest)?;
                self.edition.config_keys.push(key);
            }
            [
                "variable",
                component,
                name,
                profile,
                need,
                access,
                ty,
                clause,
                rest @ ..,
            ] => {
                let (name, instance) = name
                    .split_once(':')
                    .map_or((*name, None), |(name, instance)| (name, Some(instance)));
                let value = self.config(name, profile, need, access, ty, clause, rest)?;
                if self.edition.variable(component, name, instance).is_some() {
                    return Err(format!("variable `{name}` of `{component}` stands twice"));
                }
                self.edition.variables.push(Variable {
                    component: (*component).to_owned(),
                    instance: instance.map(str::to_owned),
                    value,
                });
            }
            _ => return Err(format!("no line begins like `{}`, or it lacks words", words[0])),
        }
        Ok(())
    }

    fn inner(&mut self, words: &[&str]) -> Result<(), String> {
        if let Open::Message { part, seen, .. } = &mut self.open {
            match (words, *seen) {
                ([">"], 0) => {
                    (*part, *seen) = (Some(Part::Request), 1);
                    return Ok(());
                }
                (["<"], 1) => {
                    (*part, *seen) = (Some(Part::Response), 2);
                    return Ok(());
                }
                _ => {}
            }
        }
        let field = self.field(words)?;
        let fields = match &mut self.open {
            Open::Type { object, .. } => &mut object.fields,
            Open::Message {
                action,
                part: Some(Part::Request),
                ..
            } => &mut action.request.fields,
            Open::Message {
                action,
                part: Some(Part::Response),
                ..
            } => &mut action.response.fields,
            _ => return Err("a field stands outside of a type and of both parts of a message".to_owned()),
        };
        if fields.iter().any(|other| other.name == field.name) {
            return Err(format!("field `{}` stands twice", field.name));
        }
        fields.push(field);
        Ok(())
    }

    /// Files what was open.
    fn close(&mut self) -> Result<(), (usize, String)> {
        match std::mem::replace(&mut self.open, Open::Nothing) {
            Open::Nothing => {}
            Open::Type { line, mut object } => {
                self.complete(&mut object).map_err(|what| (line, what))?;
                let object: &'static ObjectType = Box::leak(Box::new(object));
                if self.types.insert(object.name.clone(), object).is_some()
                    || self.enums.contains_key(&object.name)
                {
                    return Err((line, format!("`{}` is declared twice", object.name)));
                }
                self.edition.types.push(object);
            }
            Open::Message {
                line,
                mut action,
                seen,
                ..
            } => {
                if seen != 2 {
                    return Err((line, format!("message `{}` lacks its `>` or `<`", action.name)));
                }
                if let Some(key) = action.keys.iter().find(|key| action.request.field(key).is_none()) {
                    return Err((line, format!("key `{key}` is no field of the request")));
                }
                for object in [&mut action.request, &mut action.response] {
                    self.complete(object).map_err(|what| (line, what))?;
                }
                if self.edition.action(&action.name).is_some() {
                    return Err((line, format!("message `{}` is declared twice", action.name)));
                }
                self.edition.actions.push(*action);
            }
        }
        Ok(())
    }

    /// Adds the fields that every closed object has.
    fn complete(&self, object: &mut ObjectType) -> Result<(), String> {
        if object.open {
            return Ok(());
        }
        for words in &self.everywhere {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let field = self.field(&words)?;
            if object.field(&field.name).is_some() {
                return Err(format!("field `{}` stands in every object already", field.name));
            }
            object.fields.push(field);
        }
        Ok(())
    }

    fn rpc(&mut self, letter: &str, attributes: &[&str]) -> Result<(), String> {
        let mut rpc = Rpc {
            document: self.document(letter)?.to_owned(),
            ..Rpc::default()
        };
        for attribute in attributes {
            match attribute.split_once('=') {
                Some(("id", most)) => rpc.max_id = number(most)?,
                Some(("description", most)) => rpc.max_description = Some(number(most)?),
                Some(("unreadable", id)) => rpc.unreadable_id = Some(id.to_owned()),
                _ => return Err(format!("frames have no `{attribute}`")),
            }
        }
        self.edition.rpc = rpc;
        Ok(())
    }

    fn enumeration(&mut self, name: &str, literals: &[&str]) -> Result<(), String> {
        let of: &'static EnumType = Box::leak(Box::new(EnumType {
            name: name.to_owned(),
            literals: owned(literals),
        }));
        if self.enums.insert(of.name.clone(), of).is_some() {
            return Err(format!("`{name}` is declared twice"));
        }
        self.edition.enums.push(of);
        Ok(())
    }

    fn fault(&mut self, fault: &str, preferred: &str, may: &[&str], lenient: bool) -> Result<(), String> {
        let fault = Fault::parse(fault).ok_or_else(|| format!("there is no fault `{fault}`"))?;
        for code in may.iter().chain([&preferred]) {
            self.known_code(code)?;
        }
        self.edition.faults.push(FaultRow {
            fault,
            preferred: preferred.to_owned(),
            may: owned(may),
            lenient,
        });
        Ok(())
    }

    fn known_code(&self, code: &str) -> Result<(), String> {
        if self.edition.codes.iter().any(|known| known == code) {
            return Ok(());
        }
        Err(format!("`{code}` is not among the codes of the edition"))
    }

    fn clause(&self, clause: &str) -> Result<String, String> {
        let (letter, number) = clause
            .split_once(':')
            .ok_or_else(|| format!("clause `{clause}` names no document"))?;
        Ok(format!("{} {number}", self.document(letter)?))
    }

    fn document(&self, letter: &str) -> Result<&str, String> {
        let document = self.documents.get(letter);
        document
            .map(String::as_str)
            .ok_or_else(|| format!("there is no document `{letter}`"))
    }

    fn action(
        &self,
        name: &str,
        sender: &str,
        profile: &str,
        block: &str,
        [clause, request, response]: [&str; 3],
        flags: &[&str],
    ) -> Result<Action, String> {
        let direction = match sender {
            "station" => Direction::StationToCsms,
            "csms" => Direction::CsmsToStation,
            "both" => Direction::Both,
            other => return Err(format!("`{other}` is no sender: use station, csms or both")),
        };
        let mut action = Action {
            name: name.to_owned(),
            direction,
            block: block.to_owned(),
            profile: profile.to_owned(),
            request: object(format!("{name}Request")),
            response: object(format!("{name}Response")),
            keys: Vec::new(),
            free_order: false,
            transaction_related: false,
            clause: self.clause(clause)?,
            clause_request: self.clause(request)?,
            clause_response: self.clause(response)?,
        };
        for flag in flags {
            match (flag.split_once('='), *flag) {
                (Some(("keys", keys)), _) => action.keys = keys.split(',').map(str::to_owned).collect(),
                (None, "free") => action.free_order = true,
                (None, "tx") => action.transaction_related = true,
                _ => return Err(format!("a message has no `{flag}`")),
            }
        }
        Ok(action)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the columns of one line, split once by the caller"
    )]
    fn config(
        &self,
        name: &str,
        profile: &str,
        need: &str,
        access: &str,
        ty: &str,
        clause: &str,
        rest: &[&str],
    ) -> Result<ConfigKey, String> {
        let mut key = ConfigKey {
            name: name.to_owned(),
            profile: profile.to_owned(),
            required: need == "r",
            access: match access {
                "R" => Access::R,
                "RW" => Access::RW,
                "W" => Access::W,
                "R/RW" => Access::ROrRW,
                other => return Err(format!("`{other}` is no access: use R, RW, W or R/RW")),
            },
            ty: match ty {
                "bool" => ConfigType::Bool,
                "int" => ConfigType::Int,
                "dec" => ConfigType::Decimal,
                "datetime" => ConfigType::DateTime,
                "option" => ConfigType::Option,
                "list" => ConfigType::List,
                "text" => ConfigType::Text,
                other => {
                    return Err(format!(
                        "`{other}` is no type of a key: use bool, int, dec, datetime, option, list or text"
                    ));
                }
            },
            unit: None,
            min: None,
            max: None,
            values: Vec::new(),
            secret: false,
            clause: self.clause(clause)?,
        };
        if !["r", "o"].contains(&need) {
            return Err(format!("`{need}` is neither r nor o"));
        }
        for attribute in rest {
            match attribute.split_once('=') {
                Some(("unit", unit)) => key.unit = Some(unit.to_owned()),
                Some(("min", min)) => key.min = Some(number(min)?),
                Some(("max", max)) => key.max = Some(number(max)?),
                Some(("values", values)) => key.values = values.split(',').map(str::to_owned).collect(),
                None if *attribute == "secret" => key.secret = true,
                _ => return Err(format!("a key has no `{attribute}`")),
            }
        }
        Ok(key)
    }
}

/// A closed object without fields yet.
const fn object(name: String) -> ObjectType {
    ObjectType {
        name,
        open: false,
        fields: Vec::new(),
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "edition TEST-1 test1\ndocument T TEST\ncodes A B\n";

    fn error(tail: &str) -> String {
        Edition::parse(&format!("{HEAD}{tail}")).unwrap_err().to_string()
    }

    #[test]
    fn a_small_catalogue_is_read() {
        let text = format!(
            "{HEAD}fault too-long A may B\nenum E X\n+ Y\ntype T\n a? int(0..3)[1..4] text(1..)\n b dec/0.01\n\
             msg M both P block T:1 T:2 T:3 keys=t free tx\n >\n  t T\n  e? E like=Y\n <\n"
        );
        let edition = Edition::parse(&text).unwrap();
        let action = edition.action("M").unwrap();
        assert_eq!(action.request.field("t").unwrap().notation(), "T");
        assert_eq!(
            action.request.field_at("t/a").unwrap().notation(),
            "int(0..3)[1..4]"
        );
        assert_eq!(action.request.field_at("t/b").unwrap().notation(), "dec/0.01");
        assert_eq!(action.request.field("e").unwrap().like.as_deref(), Some("Y"));
        assert_eq!(edition.enums().next().unwrap().literals, ["X", "Y"]);
    }

    #[test]
    fn every_mistake_names_its_line() {
        assert_eq!(
            error("type T\n a nothing\n"),
            "catalogue line 5: there is no type `nothing` above this line"
        );
        assert!(error("typo T\n").contains("`typo`"));
        assert!(error("type T\n a int\n a int\n").contains("stands twice"));
        assert!(error("enum E X\nenum E Y\n").contains("declared twice"));
        assert!(error("type T\n a int\ntype T\n b int\n").contains("declared twice"));
        assert!(error("msg M both P b T:1 T:2 T:3\n >\n").contains("lacks its"));
        assert!(error("msg M both P b X:1 T:2 T:3\n >\n <\n").contains("document `X`"));
        assert!(error("msg M both P b T:1 T:2 T:3 keys=k\n >\n <\n").contains("`k`"));
        assert!(error("msg M me P b T:1 T:2 T:3\n").contains("`me`"));
        assert!(error("msg M both P b T:1 T:2 T:3 odd\n").contains("`odd`"));
        assert!(error("fault too-long C\n").contains("`C`"));
        assert!(error("fault odd A\n").contains("`odd`"));
        assert!(error("type T\n a dec/0.5\n").contains("power of ten"));
        assert!(error("type T\n a int(1)\n").contains("no range"));
        assert!(error("type T\n a int odd\n").contains("`odd`"));
        assert!(error(" a int\n").contains("outside"));
        assert!(error("config K P x R bool T:1\n").contains("`x`"));
        assert!(error("config K P r X bool T:1\n").contains("`X`"));
        assert!(Edition::parse("").unwrap_err().what.contains("edition"));
    }
}
