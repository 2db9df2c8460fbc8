//! The real parts that tests ask: small Go programs below `tests/`.

mod build;
mod wanted;

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub use build::build;
use serde_json::Value;
pub use wanted::wanted;

/// A running part that answers one line of JSON with another.
pub struct Part {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Part {
    /// Builds and starts the program of `tests/MODULE`.
    pub fn start(module: &str) -> Part {
        let mut child = Command::new(build(module, ".", module))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program was just built");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Part { child, input, output }
    }

    /// Asks; gives what stands below `ok`, or the text below `error`.
    pub fn ask(&mut self, request: &Value) -> Result<Value, String> {
        let input = self.input.as_mut().expect("it is open");
        writeln!(input, "{request}").expect("the part reads");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the part answers");
        let mut answer: Value = serde_json::from_str(&line).expect("the part answers JSON");
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["ok"].take()),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.input.take();
        let _ = self.child.wait();
    }
}
