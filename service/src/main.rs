//! The `herolo` command. All of it is in the library, so that tests boot the same service.

use std::process::ExitCode;

fn main() -> ExitCode {
    herolo::cli::main()
}
