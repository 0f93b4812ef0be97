//! Rows of outcomes, and the verdicts that they lead to.

use std::time::UNIX_EPOCH;

use proptest::prelude::*;

use super::*;

pub(crate) fn passed() -> Outcome {
    Outcome::passed("connected")
}

pub(crate) fn failed() -> Outcome {
    Outcome::failed("refused")
}

pub(crate) fn hindered() -> Outcome {
    Outcome::hindered("no route", "add one")
}

pub(crate) fn rules(retries: u32) -> Rules {
    Rules { retries, rise: 1, fall: 1, on_could_not_run: CouldNotRun::Hold }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A verdict that these outcomes lead to, with one retry.
fn after(outcomes: &[fn() -> Outcome]) -> Verdict {
    let mut verdict = Verdict::unknown(at(0));
    for outcome in outcomes {
        verdict.step(outcome(), &rules(1), at(10));
    }
    verdict
}

#[test]
fn every_state_and_every_outcome() {
    use Judgement as J;
    use Next::{Retry, Round};
    use State::{CouldNotRun, Down, Unknown, Up};
    type Act = fn() -> Outcome;
    type Row<'a> = (&'a [Act], Act, State, Option<J>, u32, Next);
    let (p, f, h): (Act, Act, Act) = (passed, failed, hindered);
    // what came before, outcome; state, judgement, failures, when next
    #[rustfmt::skip]
    let table: &[Row<'_>] = &[
        (&[],           p, Up,          Some(J::Up),   0, Round),
        (&[],           f, Unknown,     None,          1, Retry),
        (&[],           h, CouldNotRun, None,          0, Round),
        (&[f],          p, Up,          Some(J::Up),   0, Round),
        (&[f],          f, Down,        Some(J::Down), 0, Round),
        (&[f],          h, CouldNotRun, None,          1, Round),
        (&[p],          p, Up,          Some(J::Up),   0, Round),
        (&[p],          f, Up,          Some(J::Up),   1, Retry),
        (&[p],          h, CouldNotRun, Some(J::Up),   0, Round),
        (&[p, f],       p, Up,          Some(J::Up),   0, Round),
        (&[p, f],       f, Down,        Some(J::Down), 0, Round),
        (&[p, f],       h, CouldNotRun, Some(J::Up),   1, Round),
        (&[f, f],       p, Up,          Some(J::Up),   0, Round),
        (&[f, f],       f, Down,        Some(J::Down), 0, Round),
        (&[f, f],       h, CouldNotRun, Some(J::Down), 0, Round),
        (&[h],          p, Up,          Some(J::Up),   0, Round),
        (&[h],          f, Unknown,     None,          1, Retry),
        (&[h],          h, CouldNotRun, None,          0, Round),
        (&[h, f],       f, Down,        Some(J::Down), 0, Round),
        (&[p, h],       p, Up,          Some(J::Up),   0, Round),
        (&[p, h],       f, Up,          Some(J::Up),   1, Retry),
        (&[p, h],       h, CouldNotRun, Some(J::Up),   0, Round),
        (&[p, f, h],    f, Down,        Some(J::Down), 0, Round),
        (&[f, f, h],    p, Up,          Some(J::Up),   0, Round),
        (&[f, f, h],    f, Down,        Some(J::Down), 0, Round),
        (&[f, f, h],    h, CouldNotRun, Some(J::Down), 0, Round),
    ];
    for (number, (before, act, state, judged, failures, next)) in table.iter().enumerate() {
        let mut verdict = after(before);
        let was = verdict.clone();
        let step = verdict.step(act(), &rules(1), at(12));
        assert_eq!(
            (verdict.state(), verdict.judged(), verdict.failures(), step.next),
            (*state, *judged, *failures, *next),
            "row {number}"
        );
        let changes = was.state() != *state;
        assert_eq!(step.change.is_some(), changes, "row {number}");
        assert_eq!(verdict.since(), if changes { at(12) } else { was.since() }, "row {number}");
    }
}

#[test]
fn a_change_says_what_was_and_for_how_long() {
    let mut verdict = after(&[passed]);
    verdict.step(failed(), &rules(1), at(11));
    let step = verdict.step(failed(), &rules(1), at(15));
    let change = Change { from: State::Up, lasted: Duration::from_secs(5), rejudged: true };
    assert_eq!(step.change, Some(change));
    let step = verdict.step(hindered(), &rules(1), at(16));
    assert!(!step.change.unwrap().rejudged);
    assert_eq!(verdict.reason(), "no route: add one");
    // a clock that was set back
    assert_eq!(verdict.step(passed(), &rules(1), at(2)).change.unwrap().lasted, Duration::ZERO);
}

#[test]
fn a_failure_that_is_retried_is_the_reason_while_nothing_better_is_known() {
    type Row<'a> = (&'a [fn() -> Outcome], State, &'a str);
    let rows: [Row<'_>; 4] = [
        (&[], State::Unknown, "refused: being retried"),
        (&[hindered], State::Unknown, "refused: being retried"),
        (&[passed, hindered], State::Up, "refused: being retried"),
        (&[passed], State::Up, "connected"),
    ];
    for (before, state, reason) in rows {
        let mut verdict = after(before);
        verdict.step(failed(), &rules(1), at(12));
        assert_eq!((verdict.state(), verdict.reason().as_str()), (state, reason));
    }
    assert_eq!(Verdict::unknown(at(0)).reason(), "not run yet");
}

#[test]
fn times_follow_the_clock_when_it_is_set() {
    let mut verdict = after(&[passed]);
    verdict.set_time(at(100), at(1_000_100));
    assert_eq!(verdict.since(), at(1_000_010));
    verdict.set_time(at(1_000_100), at(100));
    assert_eq!(verdict.since(), at(10));
    verdict.set_time(at(100), at(50));
    assert_eq!(verdict.since(), at(0), "not before 1970");
}

#[test]
fn the_same_again_is_no_news_and_another_reason_is() {
    for act in [passed, failed, hindered] {
        let mut verdict = Verdict::unknown(at(0));
        assert!(verdict.step(act(), &rules(0), at(1)).news);
        assert!(!verdict.step(act(), &rules(0), at(2)).news);
    }
    let mut verdict = after(&[failed, failed]);
    let other = Outcome::failed("no answer within 3s");
    assert!(verdict.step(other, &rules(1), at(11)).news);
    assert_eq!(verdict.reason(), "no answer within 3s");
}

#[test]
fn what_was_inherited_holds_until_a_run_found_something_itself() {
    let mut verdict = after(&[failed, failed]).inherit(Found::BeforeRestart, at(50));
    assert_eq!((verdict.state(), verdict.since()), (State::Down, at(10)));
    assert_eq!(verdict.reason(), "refused (found before the restart)");
    let step = verdict.step(failed(), &rules(1), at(60));
    assert!(step.news && step.change.is_none());
    assert_eq!((verdict.reason().as_str(), verdict.since()), ("refused", at(10)));
    let heir = verdict.inherit(Found::BeforeReload, at(5));
    assert_eq!(heir.since(), at(5), "the clock was set back");
}

#[test]
fn rounds_are_counted_before_they_count() {
    let rules = Rules { rise: 3, fall: 2, ..rules(1) };
    let mut verdict = Verdict::unknown(at(0));
    let mut act = |outcome: Outcome| {
        verdict.step(outcome, &rules, at(1));
        (verdict.state(), verdict.failures(), verdict.successes())
    };
    assert_eq!(act(passed()), (State::Up, 0, 0), "never judged: the first round decides");
    let seen = [failed(), failed(), failed(), failed()].map(&mut act);
    let counted = [(State::Up, 1, 0), (State::Up, 1, 0), (State::Up, 1, 0), (State::Down, 0, 0)];
    assert_eq!(seen, counted, "two rounds of a failure and a retry");
    let seen = [passed(), passed(), failed(), passed(), passed(), passed()].map(&mut act);
    let counted = [
        (State::Down, 0, 1),
        (State::Down, 0, 2),
        (State::Down, 0, 0),
        (State::Down, 0, 1),
        (State::Down, 0, 2),
        (State::Up, 0, 0),
    ];
    assert_eq!(seen, counted);
    // A round that passes forgets the one that failed.
    let _ = [failed(), failed(), passed()].map(&mut act);
    assert_eq!([failed(), failed()].map(&mut act)[1].0, State::Up);
}

#[test]
fn what_could_not_run_counts_as_the_check_says() {
    for (policy, judged) in [
        (CouldNotRun::Hold, [None, None, Some(Judgement::Up)]),
        (CouldNotRun::Down, [None, Some(Judgement::Down), Some(Judgement::Down)]),
        (CouldNotRun::Up, [Some(Judgement::Up), Some(Judgement::Up), Some(Judgement::Up)]),
    ] {
        let rules = Rules { on_could_not_run: policy, ..rules(1) };
        let mut verdict = Verdict::unknown(at(0));
        let mut act = |outcome: Outcome| {
            verdict.step(outcome, &rules, at(1));
            verdict.judged()
        };
        let [first, second] = [hindered(), hindered()].map(&mut act);
        let third = [passed(), hindered(), hindered()].map(&mut act)[2];
        assert_eq!([first, second, third], judged, "{policy:?}");
        assert_eq!((verdict.state(), verdict.reason().as_str()), (State::CouldNotRun, "no route: add one"));
    }
}

#[test]
fn what_counts_as_up_though_it_could_not_run_keeps_its_weight() {
    let rules = Rules { on_could_not_run: CouldNotRun::Up, ..rules(0) };
    let half = Some(Weight::Percent(50));
    let mut verdict = Verdict::unknown(at(0));
    verdict.step(Outcome::Passed(Finding { weight: half, ..Finding::default() }), &rules, at(1));
    verdict.step(hindered(), &rules, at(2));
    assert_eq!((verdict.judged(), verdict.weight()), (Some(Judgement::Up), half));
}

#[test]
fn a_weight_and_a_warning_are_of_the_latest_run_that_passed() {
    let found = |weight, warning: Option<&str>| {
        let warning = warning.map(str::to_owned);
        Outcome::Passed(Finding { reason: "connected".to_owned(), weight, warning })
    };
    let mut verdict = after(&[]);
    let half = Some(Weight::Percent(50));
    assert!(verdict.step(found(half, Some("expires")), &rules(0), at(1)).news);
    assert_eq!((verdict.weight(), verdict.warning()), (half, Some("expires")));
    let step = verdict.step(found(None, None), &rules(0), at(1));
    assert!(step.news && step.change.is_none());
    assert_eq!((verdict.weight(), verdict.warning()), (None, None));
}

proptest! {
    /// By whatever rules: what is down comes up after `rise` rounds in a row that passed, what is up goes down after
    /// `fall` rounds in a row of which each took one failure more than there are retries, and not before.
    #[test]
    fn rounds_are_counted(
        acts in proptest::collection::vec(any::<bool>(), 0..80),
        retries in 0_u32..3,
        (rise, fall) in (1_u32..4, 1_u32..4),
    ) {
        let rules = Rules { rise, fall, ..rules(retries) };
        let mut verdict = Verdict::unknown(at(0));
        let (mut passes, mut failures) = (0, 0);
        for passes_now in acts {
            let was = verdict.judged();
            verdict.step(if passes_now { passed() } else { failed() }, &rules, at(1));
            (passes, failures) = if passes_now { (passes + 1, 0) } else { (0, failures + 1) };
            let expected = match (was, passes_now) {
                (None, true) => Some(Judgement::Up),
                (None, false) => (failures > retries).then_some(Judgement::Down),
                (Some(Judgement::Down), _) if passes >= rise => Some(Judgement::Up),
                (Some(Judgement::Up), _) if failures >= fall * (retries + 1) => Some(Judgement::Down),
                (was, _) => was,
            };
            prop_assert_eq!(verdict.judged(), expected);
            if verdict.judged() != was {
                (passes, failures) = (0, 0);
            }
        }
    }

    /// Whatever happens: up takes one success, down takes more failures in a row than there are retries, and nothing
    /// else changes a judgement.
    #[test]
    fn judgements_are_earned(acts in proptest::collection::vec(0_u8..3, 0..60), retries in 0_u32..4) {
        let mut verdict = Verdict::unknown(at(0));
        let mut in_a_row = 0_u32;
        for (second, act) in acts.into_iter().enumerate() {
            let was = verdict.clone();
            let outcome = [passed, failed, hindered][usize::from(act)]();
            let step = verdict.step(outcome, &rules(retries), at(second as u64));
            match act {
                0 => in_a_row = 0,
                1 => in_a_row += 1,
                _ => {}
            }
            let expected = match act {
                0 => Some(Judgement::Up),
                1 if in_a_row > retries => Some(Judgement::Down),
                _ => was.judged(),
            };
            prop_assert_eq!(verdict.judged(), expected);
            prop_assert_eq!(verdict.state() == State::CouldNotRun, act == 2);
            prop_assert!(verdict.failures() <= retries);
            prop_assert_eq!(step.next == Next::Retry, verdict.failures() > was.failures());
        }
    }
}
