//! A strict fake provider to try clients on by hand: prints where it listens and runs until its input ends. Then it
//! prints what it refused.
//!
//! `cargo run -p sluice-testkit --example fake_provider`
#![expect(clippy::print_stdout, reason = "the user is to see them")]

use sluice_testkit::FakeProvider;

fn main() {
    let provider = FakeProvider::strict();
    println!("{}", provider.url(""));
    // It ends when nobody holds the input any more.
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    for refusal in provider.refused() {
        println!("refused: {refusal}");
    }
}
