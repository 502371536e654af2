//! Both sides of the codec.

mod streams_in;
mod streams_out;
