//! A terminal of the test's own, to run programs on.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, OutputModes, Winsize, tcgetattr, tcsetattr, tcsetwinsize};

/// How long a program may take to say what is expected; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a terminal of 24 lines.
pub struct Session {
    child: Child,
    keys: File,
    news: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Session {
    /// Starts a program on a terminal whose lines have so many characters.
    pub fn start(command: &mut Command, columns: u16) -> Session {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let terminal = File::options().read(true).write(true).open(path).unwrap();
        tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let mut modes = tcgetattr(&terminal).unwrap();
        // What is written arrives as it was written.
        modes.output_modes.remove(OutputModes::OPOST);
        tcsetattr(&terminal, OptionalActions::Now, &modes).unwrap();
        let stream = || Stdio::from(OwnedFd::from(terminal.try_clone().unwrap()));
        let child = command.stdin(stream()).stdout(stream()).stderr(stream()).spawn().unwrap();
        // Whatever holds the terminal open keeps its end from coming.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let (tell, news) = channel();
        let mut reader = File::from(master.try_clone().unwrap());
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The end is an error on Linux, and nothing elsewhere.
            while let Ok(read @ 1..) = reader.read(&mut buffer) {
                if tell.send(buffer[..read].to_vec()).is_err() {
                    break;
                }
            }
        });
        Session { child, keys: File::from(master), news, seen: Vec::new() }
    }

    /// Waits until this has been written; gives everything up to it.
    #[track_caller]
    pub fn until(&mut self, text: &str) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let seen = String::from_utf8_lossy(&self.seen).into_owned();
            if let Some(at) = seen.find(text) {
                let (before, after) = seen.split_at(at + text.len());
                self.seen = after.as_bytes().to_vec();
                return before.to_owned();
            }
            match self.news.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(_) => panic!("{text:?} was not written: {seen:?}"),
            }
        }
    }

    /// Waits for the end; gives the exit code, none after a signal, and what has been written since.
    #[track_caller]
    pub fn end(mut self) -> (Option<i32>, String) {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.news.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.child.kill();
                    panic!("it does not end: {:?}", String::from_utf8_lossy(&self.seen));
                }
            }
        }
        let code = self.child.wait().unwrap().code();
        (code, String::from_utf8(std::mem::take(&mut self.seen)).unwrap())
    }
}

/// What is written is typed.
impl Write for Session {
    fn write(&mut self, keys: &[u8]) -> io::Result<usize> {
        self.keys.write(keys)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.keys.flush()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
