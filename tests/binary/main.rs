//! The `herolo` command as the tests start it.

use std::process::ExitCode;

fn main() -> ExitCode {
    herolo::cli::main()
}
