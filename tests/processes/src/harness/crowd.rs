//! The worker processes: starts, listens to, kills and stops them.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Instant;

use super::told::Told;
use crate::Outcome;
use crate::line::{Fact, Line};
use crate::task::Task;
use crate::worker::pick;

/// All workers, and what they have told.
pub(super) struct Crowd {
    program: PathBuf,
    task: Task,
    workers: Vec<Worker>,
    started: usize,
    sender: Sender<(usize, Result<Line, String>)>,
    lines: Receiver<(usize, Result<Line, String>)>,
    pub(super) told: Told,
}

/// One process. Dropping it kills the process.
struct Worker {
    number: usize,
    child: Child,
    /// The worker stops when this is closed.
    input: Option<ChildStdin>,
    reader: Option<JoinHandle<()>>,
}

impl Crowd {
    pub(super) fn new(program: PathBuf, task: Task) -> Self {
        let (sender, lines) = mpsc::channel();
        let told = Told::default();
        Self { program, task, workers: Vec::new(), started: 0, sender, lines, told }
    }

    /// Starts one more worker. Every second one has the async adapter.
    pub(super) fn start(&mut self) -> Outcome<()> {
        let number = self.started;
        self.started += 1;
        let task = Task { is_async: number % 2 == 1, ..self.task.clone() };
        let mut child =
            Command::new(&self.program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = child.stdout.take().ok_or("a worker has an output")?;
        let mut worker = Worker { number, child, input, reader: None };
        let input = worker.input.as_mut().ok_or("a worker has an input")?;
        input.write_all(format!("{}\n", serde_json::to_string(&task)?).as_bytes())?;
        let sender = self.sender.clone();
        worker.reader = Some(std::thread::spawn(move || {
            // The last line of a killed worker may be cut.
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let line = serde_json::from_str(&line).map_err(|_| line);
                if sender.send((number, line)).is_err() {
                    break;
                }
            }
        }));
        self.workers.push(worker);
        Ok(())
    }

    /// Listens to the workers until `end`.
    pub(super) fn listen(&mut self, end: Instant) -> Outcome<()> {
        while let Some(told) = self.next(end) {
            self.note(told)?;
        }
        Ok(())
    }

    /// Listens until a worker has a lease, or until `end`. Returns the number of the worker.
    pub(super) fn listen_for_lease(&mut self, end: Instant) -> Outcome<Option<usize>> {
        while let Some((number, line)) = self.next(end) {
            let is_lease = line.as_ref().is_ok_and(|line| matches!(line.fact, Fact::Leased));
            self.note((number, line))?;
            if is_lease && self.workers.iter().any(|worker| worker.number == number) {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    /// The number of a random worker.
    pub(super) fn any(&self) -> Outcome<usize> {
        Ok(pick(&self.workers).ok_or("there are workers")?.number)
    }

    /// Kills a worker with SIGKILL, and reads all that it has told.
    pub(super) fn kill(&mut self, number: usize) -> Outcome<()> {
        let at = self.workers.iter().position(|worker| worker.number == number);
        let mut worker = self.workers.swap_remove(at.ok_or("the worker runs")?);
        if let Some(status) = worker.child.try_wait()? {
            return Err(format!("a worker has ended by itself: {status}").into());
        }
        worker.child.kill()?;
        worker.child.wait()?;
        worker.read_all();
        self.note_all()
    }

    /// Asks all workers to stop, which end the requests that they have begun.
    pub(super) fn close(&mut self) {
        for worker in &mut self.workers {
            worker.input = None;
        }
    }

    /// Waits until all workers have ended.
    pub(super) fn wait(&mut self) -> Outcome<()> {
        for mut worker in std::mem::take(&mut self.workers) {
            worker.read_all();
            let status = worker.child.wait()?;
            if !status.success() {
                return Err(format!("a worker has failed: {status}").into());
            }
        }
        self.note_all()
    }

    fn next(&self, end: Instant) -> Option<(usize, Result<Line, String>)> {
        self.lines.recv_timeout(end.saturating_duration_since(Instant::now())).ok()
    }

    fn note_all(&mut self) -> Outcome<()> {
        while let Ok(told) = self.lines.try_recv() {
            self.note(told)?;
        }
        Ok(())
    }

    fn note(&mut self, (number, line): (usize, Result<Line, String>)) -> Outcome<()> {
        match line {
            Ok(line) => self.told.add(number, line),
            // A worker that was killed may leave a part of a line.
            Err(_) if self.workers.iter().all(|worker| worker.number != number) => {}
            Err(line) => return Err(format!("a worker wrote {line:?}").into()),
        }
        Ok(())
    }
}

impl Worker {
    fn read_all(&mut self) {
        if let Some(reader) = self.reader.take() {
            // A panic of the thread was reported already.
            let _ = reader.join();
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
