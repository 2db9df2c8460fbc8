//! `apply`: makes the cluster match, moves traffic only onto what is ready, and says what it did.

use serde_json::{Value, json};

use super::args::{self, DiffOutput, DryRun, Global};
use super::failure::{Failure, Fault};
use super::outcome::{Finished, words};
use super::report::Report;
use super::request::{Verb, World};
use super::work::{Ended, Order, carry_out};
use super::{Done, aim, delete, diff, secret, wanted};
use crate::cluster::End;
use crate::findings::Form;
use crate::plan::{Outcome, Plan, Release};
use crate::spec::{label_key, label_value};

/// Runs the command; gives what is to be printed on stdout, and the exit code.
pub(super) fn run(
    args: &args::Apply,
    global: &Global,
    verb: Verb,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let labels = args.labels.iter().filter(|label| !label.is_empty()).map(|label| self::label(label));
    let labels = labels.collect::<Result<Vec<_>, Failure>>()?;
    let (release, aim) = aim::of(&args.change, verb, global, world, report)?;
    let goal = args.waiting.goal(wanted::goal(&args.change));
    if args.dry_run != DryRun::None {
        let form = (args.output == DiffOutput::Json).then_some(Form::Json);
        let show = diff::Show { unified: 3, form, exit_code: false, strict: false };
        return diff::show(&release, &aim, &goal, global, &show, world, report);
    }
    let again = format!("r8 apply {} -n {} …", release.name, release.namespace);
    let order = Order {
        kind: "Apply",
        release,
        aim,
        goal,
        record: &args.record,
        labels,
        create_namespace: args.create_namespace,
        again,
    };
    let ended = carry_out(&order, global, world, report)?;
    finish(&order, ended, args.rollback_on_failure, args.output == DiffOutput::Json, global, world, report)
}

/// A label of a record: Helm takes `null` for none.
fn label(text: &str) -> Result<(String, Option<String>), Failure> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let Some((key, value)) = pair else {
        let text = format!("`--labels {}`: this is no label", secret::shown(text));
        return Err(Failure::usage(text, "write `--labels team=models`"));
    };
    if crate::record::SYSTEM_LABELS.contains(&key) {
        let text = format!("`--labels {}`: the label `{key}` is one of the record's own", secret::shown(text));
        return Err(Failure::usage(text, "choose another key"));
    }
    let problem = label_key(key).map_err(|rule| ("key", key, rule));
    if let Err((what, part, rule)) = problem.and(label_value(value).map_err(|rule| ("value", value, rule))) {
        let text = format!("`--labels {}`: `{}` is no label {what}", secret::shown(text), secret::shown(part));
        return Err(Failure::usage(text, format!("a label {what} has {rule}")));
    }
    Ok((key.to_owned(), Some(value.to_owned()).filter(|value| value != "null")))
}

/// Tells how a run has ended; goes back when it has failed and that is wanted.
pub(super) fn finish(
    order: &Order<'_>,
    ended: Ended,
    goes_back: bool,
    json: bool,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Done, Failure> {
    let finished = match ended {
        Ended::Finished(finished) => finished,
        Ended::Before(failure, _) if !json => return Err(failure),
        Ended::Before(failure, plan) => {
            report.failure(&failure);
            let document = unwritten(order.kind, &order.release, &failure, plan.as_deref());
            return Ok(Done { text: format!("{:#}\n", secret::masked(document)), code: failure.code() });
        }
    };
    let code = finished.tell(&order.again, report);
    let back =
        if goes_back && has_failed(&finished) { go_back(order, &finished, global, world, report)? } else { None };
    match (json, code) {
        (true, code) => {
            let mut document = finished.document(code);
            if let Some(back) = back {
                document["rollback"] = back;
            }
            Ok(Done { text: format!("{:#}\n", secret::masked(document)), code })
        }
        (false, 0) => Ok(Done { text: finished.text(), code }),
        (false, code) => Err(Failure::Reported(code)),
    }
}

/// Whether there is something to go back from: somebody who stops a run wants it to stop, and who has lost the lock has
/// nothing to say any more.
fn has_failed(finished: &Finished) -> bool {
    let failed = match &finished.end {
        Ok(End::Outcome(Outcome::Done | Outcome::Remains(..)) | End::Interrupted) => false,
        Ok(_) => true,
        Err(error) => !error.is_refusal(),
    };
    failed && finished.revision.is_some()
}

/// Goes back to what was live before, or deletes what was there for the first time; gives the report of it.
fn go_back(
    order: &Order<'_>,
    finished: &Finished,
    global: &Global,
    world: &mut World<'_>,
    report: &mut Report<'_>,
) -> Result<Option<Value>, Failure> {
    let Release { name, namespace } = &order.release;
    match finished.before.filter(|_| !finished.first) {
        Some(number) => {
            report.event(&format!("going back to revision {number}"));
            let record = args::Record { description: None, ..order.record.clone() };
            let again = format!("r8 rollback {name} {number} -n {namespace}");
            let back = Order {
                kind: "Rollback",
                release: order.release.clone(),
                aim: aim::Aim::Back(Some(number)),
                goal: order.goal.clone(),
                record: &record,
                labels: Vec::new(),
                create_namespace: false,
                again,
            };
            match carry_out(&back, global, world, report)? {
                Ended::Finished(back) => {
                    let code = back.tell(&format!("r8 rollback {name} {number} -n {namespace}"), report);
                    let to = back.route.as_ref().map_or("no route".to_owned(), words);
                    if code == 0 {
                        report.message("note", &format!("revision {number} is live again: {to}"), None);
                    }
                    Ok(Some(back.document(code)))
                }
                Ended::Before(failure, plan) => {
                    report.failure(&failure);
                    Ok(Some(unwritten("Rollback", &order.release, &failure, plan.as_deref())))
                }
            }
        }
        // What was live without a record of it is not taken away.
        None if finished.plan.before.is_none() => {
            report.event("deleting the release, which was never live before");
            let delete = args::Delete::of(name, order.goal.timeout, order.goal.drain, order.record.take_lock);
            match delete::run(&delete, global, world, report) {
                Ok(done) => {
                    report.event(done.text.trim_end());
                    Ok(Some(json!({"kind": "Delete", "exitCode": done.code})))
                }
                Err(failure) => {
                    report.failure(&failure);
                    Ok(Some(json!({"kind": "Delete", "exitCode": failure.code()})))
                }
            }
        }
        None => {
            let hint = "the release is left as it is; its route was live before, without a revision that says so";
            report.message("note", "there is nothing to go back to: no revision was ever live", Some(hint));
            Ok(None)
        }
    }
}

/// The report for programs of a run that has written nothing.
fn unwritten(kind: &str, release: &Release, failure: &Failure, plan: Option<&Plan>) -> Value {
    let (result, error) = match failure {
        Failure::Cluster(Fault { message, .. }) => ("failed", Some(message.clone())),
        Failure::Refused(_) => ("refused", None),
        Failure::Reported(_) => ("interrupted", None),
        _ => ("invalid", None),
    };
    let refusals = plan.map(|plan| diff::refusals(&plan.refusals)).unwrap_or_default();
    json!({
        "apiVersion": "r8/v1", "kind": kind,
        "release": {"name": release.name, "namespace": release.namespace}, "revision": null,
        "result": result, "exitCode": failure.code(), "error": error, "refusals": refusals,
        "traffic": [], "versions": [], "objects": [], "steps": [],
    })
}
