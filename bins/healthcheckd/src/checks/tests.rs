//! Rows of what happens to checks, and what is to be acted on.

use proptest::prelude::*;

use super::*;
use crate::kept;
use crate::testing::config;
use crate::verdict::tests::{failed, hindered, passed};

pub(crate) use crate::runs::tests::at;

/// Checks, and what was told of them.
pub(crate) struct World {
    pub checks: Checks,
    news: News,
}

impl World {
    pub fn new(text: &str) -> Self {
        Self::after(text, &Kept::default(), 0)
    }

    /// After a restart.
    fn after(text: &str, kept: &Kept, second: u64) -> Self {
        let mut checks = Checks::default();
        checks.configure(config(text), kept, Found::BeforeRestart, at(second));
        Self { checks, news: News::default() }
    }

    fn reload(&mut self, text: &str, second: u64) -> Configured {
        let kept = self.checks.keep();
        self.checks.configure(config(text), &kept, Found::BeforeReload, at(second))
    }

    /// A part of a check is run.
    pub fn run(&mut self, name: &str, part: usize, outcome: Outcome, second: u64) {
        let id = self.checks.get(name).unwrap().parts()[part];
        let took = Duration::from_millis(1);
        let (_, news) = self.checks.finished(id, outcome, took, at(second)).unwrap();
        self.news = news;
    }

    fn wait(&mut self, second: u64) {
        self.news = self.checks.mature(at(second));
    }

    pub fn tell(&mut self) {
        let untold = self.checks.take_untold();
        self.checks.tell(&untold);
    }

    fn standing(&self, name: &str) -> &Standing {
        self.checks.get(name).unwrap().standing()
    }

    fn judged(&self, name: &str) -> Option<Judgement> {
        self.standing(name).judged
    }

    /// State, what to act on, why.
    fn shown(&self, name: &str) -> (State, Option<Judgement>, &str) {
        let Standing { state, judged, reason, .. } = self.standing(name);
        (*state, *judged, reason)
    }
}

const UP: Option<Judgement> = Some(Judgement::Up);
const DOWN: Option<Judgement> = Some(Judgement::Down);

/// A check of its own.
fn named(name: &str, target: &str, more: &str) -> String {
    format!("[check.{name}]\ntype = 'tcp'\ntarget = '{target}'\nretries = 0\n{more}\n")
}

/// The service web with four servers.
fn service(more: &str) -> String {
    let servers: String =
        (1..=4).map(|n| format!("[[service.server]]\naddress = '192.0.2.8{n}:80'\n")).collect();
    format!(
        "[[service]]\nname = 'web'\naddress = '192.0.2.15:80'\nforward = 'dr'\n\
         check = {{ type = 'tcp', retries = 0 }}\n{more}\n{servers}"
    )
}

fn server(number: u8) -> String {
    format!("web/192.0.2.8{number}:80")
}

#[test]
fn a_judgement_is_told_once_it_may_be() {
    let mut world = World::new(&(named("a", "192.0.2.1:80", "") + &named("b", "192.0.2.1:80", "")));
    let told = |world: &World| world.checks.get("a").unwrap().told().state;
    world.run("a", 0, passed(), 1);
    assert_eq!((told(&world), world.standing("a").state), (State::Unknown, State::Up));
    assert!(world.news.touched.is_empty() && world.news.rejudged.len() == 2);
    let untold = world.checks.take_untold();
    world.run("a", 0, failed(), 2);
    assert!(world.checks.tell(&untold).is_empty(), "it changed once more");
    assert_eq!(told(&world), State::Unknown);
    let untold = world.checks.take_untold();
    assert_eq!(world.checks.tell(&untold), ["a", "b"]);
    assert_eq!(told(&world), State::Down);
    world.run("a", 0, hindered(), 3);
    assert_eq!(told(&world), State::CouldNotRun, "nobody acts on that");
    assert!(world.checks.take_untold().is_empty());
    assert_eq!(world.checks.summary(), "2 checks, 2 could not run");
}

#[test]
fn a_reload_neither_brings_a_dead_server_back_nor_forgets_a_living_one() {
    let text = named("a", "192.0.2.1:80", "") + &named("b", "192.0.2.2:80", "");
    let mut world = World::new(&text);
    world.run("a", 0, failed(), 50);
    world.run("b", 0, passed(), 50);
    // The same target, another timeout: what was found holds, and is said to be old.
    let done = world.reload(&text.replace("192.0.2.1:80'", "192.0.2.1:80'\ntimeout = '1s'"), 100);
    assert_eq!((done.changes.changed, done.changes.unchanged), (1, 1));
    assert_eq!(done.news.touched, ["a".to_owned()].into());
    let standing = world.standing("a");
    assert_eq!((standing.state, standing.since, standing.generation), (State::Down, at(50), 1));
    assert_eq!(standing.reason, "refused (found before the reload)");
    // Another target: what to act on is what it was until the new one has run.
    world.reload(&text.replace("192.0.2.1:", "192.0.2.9:").replace("192.0.2.2:", "192.0.2.8:"), 200);
    assert_eq!(world.shown("a"), (State::Unknown, DOWN, "not run yet"));
    assert_eq!(world.shown("b"), (State::Unknown, UP, "not run yet"));
    world.run("a", 0, passed(), 210);
    assert_eq!(world.judged("a"), UP);
    let done = world.reload("", 300);
    assert_eq!((done.changes.removed, done.turnover.ended.len(), done.news.touched.len()), (2, 2, 2));
}

#[test]
fn a_name_that_joins_has_its_verdict_at_once_and_a_down_one_stays_down() {
    let (a, b) = (named("a", "192.0.2.1:80", ""), named("b", "192.0.2.1:80", "timeout = '1s'"));
    let mut world = World::new(&a);
    world.run("a", 0, failed(), 50);
    let done = world.reload(&(a.clone() + &a.replace("[check.a]", "[check.c]")), 60);
    assert_eq!(done.news.touched.len(), 2, "they are shown as shared by two");
    assert_eq!((world.judged("c"), world.standing("c").since), (DOWN, at(50)));
    // Over to a run that was never done.
    world.reload(&b.replace("[check.b]", "[check.a]").replace("192.0.2.1", "192.0.2.7"), 70);
    assert_eq!(world.judged("a"), DOWN);
}

#[test]
fn a_restart_continues_where_it_stood() {
    let text = service("hold_down = '10s'\nslow_start = '20s'");
    let mut world = World::new(&text);
    let (first, second) = (server(1), server(2));
    for (number, outcome) in [passed(), failed(), passed(), failed(), passed()].into_iter().enumerate() {
        world.run(&first, 0, outcome, number as u64);
    }
    world.run(&second, 0, failed(), 9);
    let disabled = Disabled { by: "uid 0".to_owned(), since: at(9) };
    world.checks.set_disabled(&second, Some(disabled.clone()), at(9)).unwrap();
    assert_eq!(world.judged(&first), DOWN, "held down");
    let kept = kept::parse(&kept::emit(&world.checks.keep())).unwrap();
    let mut after = World::after(&text, &kept, 10);
    let (before, now) = (world.standing(&first), after.standing(&first));
    assert_eq!((now.judged, now.since, now.generation), (DOWN, before.since, before.generation));
    assert_eq!(after.checks.get(&second).unwrap().disabled(), Some(&disabled));
    assert_eq!(after.judged(&second), DOWN);
    after.run(&first, 0, passed(), 12);
    assert_eq!(after.judged(&first), DOWN, "still");
    after.wait(13);
    assert_eq!(after.judged(&first), UP);
    assert_eq!(after.standing(&first).weight, Some(Weight::Percent(10)));
}

#[test]
fn parts_decide_together_and_each_is_named() {
    let text = named("web", "192.0.2.1:80", "").replace("target = '192.0.2.1:80'\n", "")
        + &service("").replace(
            "{ type = 'tcp', retries = 0 }",
            "{ any = ['web', { type = 'tcp', timeout = '1s', retries = 0 }] }",
        );
    let mut world = World::new(&text);
    let name = server(1);
    world.run(&name, 0, failed(), 1);
    assert_eq!(
        world.shown(&name),
        (State::Unknown, None, "0 of 2 up, 1 needed; web: refused; tcp: not run yet")
    );
    world.run(&name, 1, passed(), 2);
    assert_eq!(world.shown(&name), (State::Up, UP, "1 of 2 up, 1 needed; web: refused"));
    assert!(!world.news.rejudged[0].is_plain);
    world.run(&name, 1, failed(), 3);
    assert_eq!(world.judged(&name), DOWN);
}

#[test]
fn who_flaps_is_held_down_and_who_returns_starts_slowly() {
    let mut world = World::new(&service("hold_down = '10s'\nslow_start = '20s'"));
    let name = server(1);
    for (second, outcome) in [(1, passed()), (2, failed()), (3, passed()), (4, failed()), (5, passed())] {
        world.run(&name, 0, outcome, second);
    }
    assert_eq!(
        world.shown(&name),
        (State::Up, DOWN, "connected; held down for 10s after going down 2 times")
    );
    assert_eq!(world.checks.next(), Some(at(14)));
    world.wait(13);
    assert_eq!(world.judged(&name), DOWN);
    world.wait(14);
    assert_eq!(world.shown(&name), (State::Up, UP, "connected; slow start, 10%"));
    let generation = world.standing(&name).generation;
    for (second, percent) in [(16, 20), (20, 40), (33, 100)] {
        world.wait(second);
        world.tell();
        let weight = (percent < 100).then_some(Weight::Percent(percent));
        assert_eq!(world.standing(&name).weight, weight, "{second}");
    }
    world.wait(34);
    assert_eq!((world.checks.next(), world.standing(&name).generation), (None, generation));
    assert_eq!(world.shown(&name).2, "connected");
}

#[test]
fn the_floor_keeps_servers_in_until_others_are_back() {
    let text = service("max_out = 2");
    let mut world = World::new(&text);
    (1..=4).for_each(|n| world.run(&server(n), 0, passed(), 1));
    (1..=4).for_each(|n| world.run(&server(n), 0, failed(), 10 + u64::from(n)));
    assert_eq!(world.news.kept_in, [server(4)]);
    let judged = |world: &World| [1, 2, 3, 4].map(|n| world.judged(&server(n)));
    assert_eq!(judged(&world), [DOWN, DOWN, UP, UP]);
    let kept_in = "refused; kept in: at most 2 of 4 servers may be out";
    assert_eq!(world.shown(&server(3)), (State::Down, UP, kept_in));
    // One comes back: the next goes.
    world.run(&server(1), 0, passed(), 20);
    assert_eq!(judged(&world), [UP, DOWN, DOWN, UP]);
    assert_eq!(world.news.rejudged.len(), 2);
    // Without the floor, all go.
    world.reload(&service(""), 30);
    assert_eq!(judged(&world), [UP, DOWN, DOWN, DOWN]);
    world.reload(&service("max_out = '25%'"), 40);
    assert_eq!(judged(&world), [UP, DOWN, UP, UP]);
}

#[test]
fn what_is_disabled_stays_as_it_was_until_it_is_enabled() {
    let mut world = World::new(&(named("a", "192.0.2.1:80", "") + &named("b", "192.0.2.1:80", "")));
    world.run("a", 0, passed(), 1);
    let idle = |world: &World| {
        let id = world.checks.get("a").unwrap().parts()[0];
        world.checks.is_idle(world.checks.runs().get(id).unwrap())
    };
    let disabled = |second| Some(Disabled { by: "uid 0".to_owned(), since: at(second) });
    world.checks.set_disabled("a", disabled(5), at(5)).unwrap();
    assert!(!idle(&world), "b needs it");
    world.run("a", 0, failed(), 6);
    assert_eq!((world.judged("a"), world.judged("b")), (UP, DOWN));
    world.checks.set_disabled("b", disabled(7), at(7)).unwrap();
    assert!(idle(&world));
    world.checks.set_disabled("a", None, at(8)).unwrap();
    assert_eq!((world.judged("a"), idle(&world)), (DOWN, false));
    assert_eq!(world.checks.set_disabled("c", None, at(8)), None);
}

#[test]
fn times_follow_the_clock_when_it_is_set() {
    let mut world = World::new(&service("slow_start = '20s'"));
    for (second, outcome) in [(1, passed()), (2, failed()), (3, passed())] {
        world.run(&server(1), 0, outcome, second);
    }
    world.checks.set_times(at(0), at(1000));
    assert_eq!(world.standing(&server(1)).since, at(1003));
    assert_eq!(world.checks.next(), Some(at(1005)));
    world.wait(1005);
    assert_eq!(world.standing(&server(1)).weight, Some(Weight::Percent(20)));
}

#[test]
fn a_check_that_changes_inherits_its_own_verdict_not_that_of_another_of_its_target() {
    let text = named("a", "192.0.2.1:80", "timeout = '1s'") + &named("b", "192.0.2.1:80", "timeout = '2s'");
    let mut world = World::new(&text);
    world.run("a", 0, failed(), 1);
    world.run("b", 0, passed(), 1);
    let changed = text.replace("'2s'", "'3s'") + &named("c", "192.0.2.1:80", "timeout = '4s'");
    world.reload(&changed, 2);
    assert_eq!(world.shown("b"), (State::Up, UP, "connected (found before the reload)"));
    assert_eq!(world.shown("c"), (State::Unknown, None, "not run yet"), "nothing is known of what is new");
    let kept = kept::parse(&kept::emit(&world.checks.keep())).unwrap();
    let after = World::after(&changed.replace("'3s'", "'5s'"), &kept, 3);
    assert_eq!((after.judged("a"), after.judged("b")), (DOWN, UP));
}

#[test]
fn who_is_disabled_while_kept_in_is_kept_in_again() {
    let mut world = World::new(&service("max_out = 1"));
    (1..=4).for_each(|n| world.run(&server(n), 0, passed(), 1));
    (1..=2).for_each(|n| world.run(&server(n), 0, failed(), 10 + u64::from(n)));
    let judged = |world: &World| [1, 2, 3].map(|n| world.judged(&server(n)));
    let disabled = Some(Disabled { by: "uid 0".to_owned(), since: at(20) });
    world.checks.set_disabled(&server(2), disabled.clone(), at(20)).unwrap();
    assert_eq!(judged(&world), [DOWN, UP, UP]);
    world.checks.set_disabled(&server(2), None, at(21)).unwrap();
    assert_eq!(judged(&world), [DOWN, UP, UP]);
    // Who is out and disabled is out, though others were down before.
    world.checks.set_disabled(&server(1), disabled, at(22)).unwrap();
    world.run(&server(3), 0, failed(), 23);
    assert_eq!(judged(&world), [DOWN, UP, UP]);
    assert_eq!(world.shown(&server(3)).2, "refused; kept in: at most 1 of 4 servers may be out");
}

#[test]
fn who_was_kept_in_does_not_start_slowly_when_it_is_well_again() {
    let mut world = World::new(&service("max_out = 1\nslow_start = '20s'"));
    (1..=4).for_each(|n| world.run(&server(n), 0, passed(), 1));
    (1..=2).for_each(|n| world.run(&server(n), 0, failed(), 10 + u64::from(n)));
    [2, 1].into_iter().for_each(|n| world.run(&server(n), 0, passed(), 20));
    let weights = [1, 2].map(|n| world.standing(&server(n)).weight);
    assert_eq!(weights, [Some(Weight::Percent(10)), None], "2 was never out");
}

#[test]
fn a_slow_start_goes_on_over_a_reload_after_which_nothing_is_known() {
    let text = service("slow_start = '20s'") + "[check.other]\ntype = 'tcp'\n";
    let mut world = World::new(&text);
    for (second, outcome) in [(1, passed()), (2, failed()), (3, passed())] {
        world.run(&server(1), 0, outcome, second);
    }
    let done = world.reload(&text.replace("{ type = 'tcp', retries = 0 }", "{ type = 'tls' }"), 6);
    assert_eq!((done.changes.changed, world.shown(&server(1)).0), (4, State::Unknown));
    let standing = world.standing(&server(1));
    assert_eq!((standing.judged, standing.weight), (UP, Some(Weight::Percent(20))));
}

#[test]
fn after_a_restart_with_an_earlier_clock_nothing_is_held_for_ever() {
    let text = service("hold_down = '10s'");
    let mut world = World::new(&text);
    let name = server(1);
    for (second, outcome) in [passed(), failed(), passed(), failed(), passed()].into_iter().enumerate() {
        world.run(&name, 0, outcome, 1_000_000 + second as u64);
    }
    let kept = world.checks.keep();
    let mut after = World::after(&text, &kept, 0);
    assert_eq!((after.judged(&name), after.standing(&name).since), (DOWN, at(0)));
    assert_eq!(after.checks.next(), Some(at(10)));
    // Then the clock is right again.
    after.checks.set_times(at(0), at(1_000_000));
    after.wait(1_000_010);
    assert_eq!(after.judged(&name), UP);
}

proptest! {
    /// Whatever happens: no more servers are out than may be, and who is found up, and is not held down, is in.
    #[test]
    fn the_floor_holds(acts in proptest::collection::vec((1_u8..=4, 0_u8..3, 0_u64..20), 0..80), most in 1_usize..4) {
        let mut world = World::new(&service(&format!("max_out = {most}\nhold_down = '5s'\nslow_start = '10s'")));
        let mut now = 10;
        for (number, act, wait) in acts {
            now += wait;
            world.wait(now);
            world.run(&server(number), 0, [passed(), failed(), hindered()][usize::from(act)].clone(), now);
            let all = [1, 2, 3, 4].map(server);
            let out = all.iter().filter(|name| world.judged(name) == DOWN).count();
            prop_assert!(out <= most);
            for name in &all {
                let standing = world.standing(name);
                let held = standing.reason.contains("held down");
                prop_assert!(standing.state != State::Up || standing.judged == UP || held, "{standing:?}");
                prop_assert!(standing.weight.is_none() || standing.judged == UP);
            }
        }
    }

    /// Whatever happens, in whatever order: what is told was kept before, what is disabled does not move, no more servers
    /// are out than may be, nothing ripe is left, and what a restart makes of it is the same.
    #[test]
    fn whatever_happens_holds_together(
        acts in proptest::collection::vec((0_u8..10, 1_u8..=4, 0_u64..20), 0..100),
    ) {
        let texts = [
            service("max_out = 2\nhold_down = '5s'\nslow_start = '10s'"),
            service("max_out = 2\nhold_down = '5s'"),
            service("max_out = 2").replace("retries = 0", "retries = 1, rise = 2"),
            service("max_out = 2\nslow_start = '10s'").replace("{ type = 'tcp', retries = 0 }", "{ any = [{ type = 'tcp' }, { type = 'tls' }] }"),
        ];
        let mut world = World::new(&texts[0]);
        let mut written: BTreeMap<String, Option<Judgement>> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let (mut text, mut now) = (0, 100);
        let all = [1, 2, 3, 4].map(server);
        let told = |world: &World, name: &str| world.checks.get(name).unwrap().told().judged;
        for (act, number, wait) in acts {
            now += wait;
            world.wait(now);
            prop_assert!(world.checks.next().is_none_or(|next| next > at(now)));
            let name = server(number);
            let told_before = [1, 2, 3, 4].map(|n| told(&world, &server(n)));
            let disabled_before: Vec<_> = all.iter().filter(|name| world.checks.get(name).unwrap().disabled().is_some())
                .map(|name| (name.clone(), world.standing(name).clone())).collect();
            match act {
                0..=2 => {
                    let part = (wait as usize) % world.checks.get(&name).unwrap().parts().len();
                    world.run(&name, part, [passed(), failed(), hindered()][usize::from(act)].clone(), now);
                }
                3 => {
                    let disabled = Disabled { by: "uid 0".to_owned(), since: at(now) };
                    world.checks.set_disabled(&name, Some(disabled), at(now)).unwrap();
                }
                4 => {
                    world.checks.set_disabled(&name, None, at(now)).unwrap();
                }
                5 => {
                    text = wait as usize % texts.len();
                    world.reload(&texts[text], now);
                }
                // As the file is written: what is taken is in it.
                6 if taken.is_empty() => {
                    let kept = world.checks.keep();
                    written.extend(kept.checks.into_iter().map(|(name, check)| (name, check.standing.judged)));
                    taken = world.checks.take_untold();
                }
                7 => {
                    world.checks.tell(&std::mem::take(&mut taken));
                }
                8 => {
                    world.checks.set_times(at(now), at(now + 1000));
                    now += 1000;
                }
                _ => {
                    let kept = kept::parse(&kept::emit(&world.checks.keep())).unwrap();
                    let mut after = World::after(&texts[text], &kept, now);
                    after.checks.mature(at(now));
                    for name in &all {
                        prop_assert_eq!(after.judged(name), world.judged(name), "{}", name);
                    }
                    continue;
                }
            }
            if act != 4 && act != 8 {
                for (name, before) in disabled_before {
                    prop_assert_eq!(world.standing(&name), &before);
                }
            }
            let out = all.iter().filter(|name| world.judged(name) == DOWN).count();
            prop_assert!(out <= 2, "{} out", out);
            for (name, told_before) in all.iter().zip(told_before) {
                let told = told(&world, name);
                prop_assert!(told == told_before || act == 7 && written.get(name) == Some(&told), "{}", name);
            }
        }
    }
}
