//! The reference station and CSMS: small, honest, conformant devices to test against.
