//! A child in a process group of its own, so that what it started dies with it.

use std::io;
use std::process::{ExitStatus, Stdio};

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

const SIGTERM: i32 = 15;

/// A child and everything it started. Dropping it kills the whole group at once.
#[derive(Debug)]
pub(crate) struct Group {
    child: Box<dyn ChildWrapper>,
    armed: bool,
}

impl Group {
    /// Starts `command` with all three standard streams piped.
    pub(crate) fn spawn(mut command: Command) -> io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = CommandWrap::from(command).wrap(ProcessGroup::leader()).spawn()?;
        Ok(Self { child, armed: true })
    }

    /// The process id of the leader while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Takes the leader's standard streams; `None` after the first call.
    pub(crate) fn take_streams(&mut self) -> Option<(ChildStdin, ChildStdout, ChildStderr)> {
        let input = self.child.stdin().take()?;
        Some((input, self.child.stdout().take()?, self.child.stderr().take()?))
    }

    /// Waits for the leader alone: the group's other members may be meant to live on. Cancel-safe.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.inner_mut().wait().await
    }

    /// Asks every member to end.
    pub(crate) fn terminate(&self) -> io::Result<()> {
        self.child.signal(SIGTERM)
    }

    /// Kills every member. A group that is gone already cannot be killed, which is all that can go wrong.
    pub(crate) fn kill(&mut self) {
        drop(self.child.start_kill());
    }

    /// Lets the other members live on after the leader has ended well.
    pub(crate) fn release(mut self) {
        self.armed = false;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.armed {
            self.kill();
        }
    }
}
