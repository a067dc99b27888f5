mod common;
use plugfest_play::prove::play_all;
use plugfest_trace::read_trace;
#[test]
fn time() {
    let library = common::library();
    let loaded = library
        .case("session/plug-first")
        .or(library.cases().next().map(|c| c))
        .unwrap();
    let t = std::time::Instant::now();
    let all = play_all(&library, loaded, &common::values()).unwrap();
    println!("{} plays in {:?}", all.len(), t.elapsed());
    let trace = read_trace(all[0].trace.as_slice(), "x").unwrap();
    let t = std::time::Instant::now();
    for _ in 0..200 {
        plugfest_judge::judge(&trace.events).unwrap();
    }
    println!("{} events, judge {:?}", trace.events.len(), t.elapsed() / 200);
    let t = std::time::Instant::now();
    for _ in 0..20 {
        plugfest_judge::judge(&trace.events[..1]).unwrap();
    }
    println!("begin {:?}", t.elapsed() / 20);
    let p = trace.premise().unwrap();
    let t = std::time::Instant::now();
    for _ in 0..20 {
        for f in &p.case.as_ref().unwrap().files {
            if f.path.ends_with("e") {
                plugfest_case::parse(&f.path, &f.text);
            }
        }
    }
    println!("parse {:?}", t.elapsed() / 20);
    let t = std::time::Instant::now();
    for _ in 0..20 {
        let mut w = plugfest_judge::Watch::of(p).unwrap();
        for e in &trace.events[1..] {
            w.see(e);
        }
    }
    println!("watch {:?}", t.elapsed() / 20);
}
