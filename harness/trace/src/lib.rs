//! The recorded conversation: append-only events, Open OCPP Trace in and out.
