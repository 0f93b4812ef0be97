//! `vipctl realserver`: what was done, each VIP, what is in force where others can ask by ARP, and what is wrong.

use vipkit_control::common::Notice;

use super::notice::{INDENT, LABEL};
use super::text::{Cell, Style, Text, Tone, plain};
use crate::realserver::judge::{InForce, Vip};
use crate::realserver::report::Report;
use crate::realserver::setting::Name;

/// As text.
#[must_use]
pub fn realserver(report: &Report, style: Style) -> String {
    let mut text = Text::new(style);
    let entry = |text: &mut Text, label: &str, words: &str| text.entry(plain(label), plain(words), 0, LABEL);
    match report.changes.as_deref() {
        Some([]) if report.good => text.say("nothing to do").end(),
        changes => changes.unwrap_or_default().iter().for_each(|change| entry(&mut text, "done", change)),
    }
    report.notes.iter().for_each(|note| entry(&mut text, "note", note));
    faults(&mut text, &report.verdict.faults, 0);
    report.verdict.vips.iter().for_each(|vip| of_vip(&mut text, vip));
    in_force(&mut text, &report.verdict.interfaces);
    if report.changes.is_none() && report.good && report.verdict.vips.is_empty() {
        text.say("no VIP on lo").end();
    }
    text.finish()
}

fn of_vip(text: &mut Text, vip: &Vip) {
    let (tone, verdict) = match (vip.present, vip.faults.is_empty()) {
        (true, true) => (Tone::Good, "on lo"),
        (true, false) => (Tone::Bad, "on lo, but"),
        (false, _) => (Tone::Bad, "not as it should be"),
    };
    text.say(&vip.address.to_string()).say(": ").put(tone, verdict).end();
    faults(text, &vip.faults, INDENT);
}

fn in_force(text: &mut Text, interfaces: &[InForce]) {
    if interfaces.is_empty() {
        return;
    }
    let value = |interface: &InForce, name: Name| -> Cell {
        let value = interface.value(name);
        (if name.is_quiet(value) { Tone::Good } else { Tone::Bad }, value.to_string())
    };
    let heading = ["in force on", Name::ArpIgnore.as_str(), Name::ArpAnnounce.as_str()].map(plain);
    let mut rows = vec![heading.to_vec()];
    rows.extend(interfaces.iter().map(|interface| {
        let [ignore, announce] = Name::EACH.map(|name| value(interface, name));
        vec![plain(interface.interface.as_str()), ignore, announce]
    }));
    text.table(&rows, 0);
}

fn faults(text: &mut Text, faults: &[Notice], indent: usize) {
    for Notice { what, remedy } in faults {
        text.entry((Tone::Bad, "fault".to_owned()), plain(what), indent, LABEL);
        text.entry(plain("remedy"), plain(remedy), indent, LABEL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realserver::judge::Verdict;

    fn vip(present: bool, faults: Vec<Notice>) -> Vip {
        Vip { address: [192, 168, 4, 15].into(), present, faults }
    }

    fn text(report: &Report) -> String {
        realserver(report, Style::Plain)
    }

    #[test]
    fn what_was_done_is_said_and_so_is_nothing() {
        let verdict = Verdict {
            vips: vec![vip(true, vec![])],
            interfaces: vec![InForce { interface: "eth0".to_owned(), arp_ignore: 1, arp_announce: 2 }],
            faults: vec![],
        };
        let mut report = Report { changes: Some(vec![]), ..Report::of(verdict) };
        let state =
            "192.168.4.15: on lo\nin force on  arp_ignore  arp_announce\neth0         1           2\n";
        assert_eq!(text(&report), format!("nothing to do\n{state}"));
        report.did("192.168.4.15/32 added to lo");
        report.notes.push("so it is".to_owned());
        let done = "done     192.168.4.15/32 added to lo\nnote     so it is\n";
        assert_eq!(text(&report), format!("{done}{state}"));
    }

    #[test]
    fn each_fault_has_its_remedy() {
        let notice = |what: &str| Notice { what: what.to_owned(), remedy: format!("mend {what}") };
        let verdict = Verdict {
            vips: vec![vip(false, vec![notice("a")])],
            interfaces: vec![],
            faults: vec![notice("b")],
        };
        let expected = "\
fault    b
remedy   mend b
192.168.4.15: not as it should be
  fault    a
  remedy   mend a
";
        assert_eq!(text(&Report::of(verdict)), expected);
    }

    #[test]
    fn a_host_without_vips_says_so() {
        assert_eq!(text(&Report::of(Verdict::default())), "no VIP on lo\n");
    }
}
