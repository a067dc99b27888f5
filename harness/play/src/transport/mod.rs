//! Byte streams to and from a device: TCP, TLS, and pipes in memory that behave alike.

mod endpoint;
mod limits;
mod memory;
mod stream;
mod target;
mod tls;

pub use endpoint::{Acceptor, Arrival, Dialer, Listen};
pub use limits::descriptor_limit;
pub use memory::{MemoryHub, MemoryListener};
pub use stream::{BoxStream, PeerInfo, Stream, TlsInfo};
pub(crate) use target::path_with;
pub use target::{Scheme, Target, TargetError};
pub use tls::{ClientTls, ServerTls, TlsError};
