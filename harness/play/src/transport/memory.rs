//! Connections inside the process: dialled and accepted as TCP ones are, without a socket and without real time.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;

/// Bytes that a pipe holds in each direction.
const PIPE_SIZE: usize = 16 << 10;

/// Connections that wait to be accepted, as the backlog of a socket does.
const BACKLOG: usize = 1024;

/// An address inside the process: whoever holds a clone can dial it, one at a time can listen.
#[derive(Clone, Debug, Default)]
pub struct MemoryHub {
    state: Arc<Mutex<HubState>>,
    /// What is dialled with this handle passes for TLS.
    secure: bool,
}

#[derive(Debug, Default)]
struct HubState {
    listener: Option<mpsc::Sender<Dialled>>,
    dialled: u64,
}

/// One end of a pipe, the number of its connection, and whether it passes for TLS.
type Dialled = (DuplexStream, u64, bool);

/// The accepting end of a hub; dropping it makes dialling fail again.
#[derive(Debug)]
pub struct MemoryListener {
    queue: mpsc::Receiver<Dialled>,
}

impl MemoryHub {
    /// Begins to listen.
    ///
    /// # Errors
    /// Someone else listens already.
    pub fn listen(&self) -> io::Result<MemoryListener> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state
            .listener
            .as_ref()
            .is_some_and(|listener| !listener.is_closed())
        {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                "another listener holds this memory hub",
            ));
        }
        let (sender, queue) = mpsc::channel(BACKLOG);
        state.listener = Some(sender);
        Ok(MemoryListener { queue })
    }

    /// The same hub; both ends of what is dialled with this handle are told that TLS protects it. Nothing is encrypted,
    /// for nothing leaves the process.
    #[must_use]
    pub fn secured(&self, secure: bool) -> Self {
        Self {
            state: Arc::clone(&self.state),
            secure,
        }
    }

    /// True where what is dialled passes for TLS.
    pub fn is_secured(&self) -> bool {
        self.secure
    }

    /// Connects; the number counts the connections of this hub from 1.
    ///
    /// # Errors
    /// Nobody listens.
    pub async fn dial(&self) -> io::Result<(DuplexStream, u64)> {
        let refused = || {
            io::Error::new(
                io::ErrorKind::ConnectionRefused,
                "nobody listens on this memory hub",
            )
        };
        let (listener, number) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.dialled += 1;
            (state.listener.clone().ok_or_else(refused)?, state.dialled)
        };
        let (near, far) = duplex(PIPE_SIZE);
        listener
            .send((far, number, self.secure))
            .await
            .map_err(|_| refused())?;
        Ok((near, number))
    }
}

impl MemoryListener {
    /// Waits for the next connection, its number and whether it passes for TLS; cancel-safe.
    ///
    /// # Errors
    /// Every clone of the hub is gone, so nobody can ever dial.
    pub async fn accept(&mut self) -> io::Result<(DuplexStream, u64, bool)> {
        let gone = || io::Error::new(io::ErrorKind::NotConnected, "the memory hub is gone");
        self.queue.recv().await.ok_or_else(gone)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn dialled_and_accepted_ends_are_one_pipe() {
        let hub = MemoryHub::default();
        let mut listener = hub.listen().unwrap();
        let (mut near, number) = hub.dial().await.unwrap();
        let (mut far, accepted, secure) = listener.accept().await.unwrap();
        assert_eq!((number, accepted, secure), (1, 1, false));
        near.write_all(b"hi").await.unwrap();
        drop(near);
        let mut seen = Vec::new();
        far.read_to_end(&mut seen).await.unwrap();
        assert_eq!(seen, b"hi");
    }

    #[tokio::test]
    async fn only_a_listening_hub_can_be_dialled() {
        let hub = MemoryHub::default();
        let refused = |result: io::Result<_>| result.map(|_: (DuplexStream, u64)| ()).unwrap_err().kind();
        assert_eq!(refused(hub.dial().await), io::ErrorKind::ConnectionRefused);
        let listener = hub.listen().unwrap();
        assert_eq!(hub.listen().unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listener);
        assert_eq!(refused(hub.dial().await), io::ErrorKind::ConnectionRefused);
        let mut again = hub.listen().unwrap();
        hub.dial().await.unwrap();
        assert_eq!(again.accept().await.unwrap().1, 3);
        hub.secured(true).dial().await.unwrap();
        assert!(again.accept().await.unwrap().2);
    }
}
