//! `type = "process"`: a process of this host is there. Looks at none: that is for whoever runs it.

use std::path::PathBuf;

use super::{Aim, Kind, text};
use crate::context::quote;
use crate::section::{About, Absent, Field, Key, Section};

/// Most processes that can be asked for.
const PROCESSES_MAX: u32 = 65535;

/// Processes of this host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Process {
    /// Which ones.
    pub by: ProcessBy,
}

/// How processes are found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProcessBy {
    /// The one whose number is in a file.
    PidFile(PathBuf),
    /// Those of a control group, by its path below /sys/fs/cgroup, without a slash before it.
    Cgroup(String),
    /// Those of a name.
    Name {
        /// The program's name, as /proc/PID/comm has it, or its file's if it has more than 15 bytes.
        name: String,
        /// Text that is in its arguments.
        arguments: Option<String>,
        /// Fewest of them, 0-65535; not 0 unless there is a most.
        at_least: u32,
        /// Most of them, never less than the fewest.
        at_most: Option<u32>,
    },
}

pub(crate) const KEYS: &[About] =
    &[PID_FILE.about, CGROUP.about, NAME.about, ARGUMENTS.about, AT_LEAST.about, AT_MOST.about];

/// Those that go with a name alone.
const OF_NAME: &[About] = &[ARGUMENTS.about, AT_LEAST.about, AT_MOST.about];

const PID_FILE: Key<PathBuf> = Key {
    about: About {
        name: "pid_file",
        kind: "the absolute path of a file",
        absent: Absent::None("none: see `name`"),
        doc: "File that holds the number of the process.",
    },
    read: text::path,
};

const CGROUP: Key<String> = Key {
    about: About {
        name: "cgroup",
        kind: "the path of a control group",
        absent: Absent::None("none: see `name`"),
        doc: "Control group that the processes are in, below `/sys/fs/cgroup`: `\"system.slice/nginx.service\"`.",
    },
    read: cgroup,
};

const NAME: Key<String> = Key {
    about: About {
        name: "name",
        kind: "the file name of a program",
        absent: Absent::None("none: see `pid_file` and `cgroup`"),
        doc: "Name of the program.",
    },
    read: name,
};

const ARGUMENTS: Key<String> = Key {
    about: About {
        name: "arguments",
        kind: "a string of 1 to 4096 bytes",
        absent: Absent::None("any"),
        doc: "With `name`: what must be in its command line.",
    },
    read: text::read,
};

const AT_LEAST: Key<u32> = Key {
    about: About {
        name: "at_least",
        kind: "an integer from 0 to 65535",
        absent: Absent::Default("1"),
        doc: "With `name`: fewest processes.",
    },
    read: |field| field.count(0..=PROCESSES_MAX, "leave it out for 1"),
};

const AT_MOST: Key<u32> = Key {
    about: About {
        name: "at_most",
        kind: "an integer from 0 to 65535",
        absent: Absent::None("any number"),
        doc: "With `name`: most processes.",
    },
    read: |field| field.count(0..=PROCESSES_MAX, "leave it out for any number"),
};

pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Aim> {
    let pid_file = section.get(&PID_FILE).map(ProcessBy::PidFile);
    let cgroup = section.get(&CGROUP).map(ProcessBy::Cgroup);
    let name = if section.has(&NAME) {
        named(section)
    } else {
        text::refuse(
            section,
            OF_NAME,
            "does not go without \"name\"",
            "leave it out, or find processes by name",
        );
        None
    };
    let given = [
        (section.has(&PID_FILE), section.at(&PID_FILE), "pid_file"),
        (section.has(&CGROUP), section.at(&CGROUP), "cgroup"),
        (section.has(&NAME), section.at(&NAME), "name"),
    ];
    let given: Vec<_> = given.into_iter().filter(|(is_given, ..)| *is_given).collect();
    match given.as_slice() {
        [] => section.lacks("none of \"pid_file\", \"cgroup\" and \"name\"", "add one of them"),
        [_] => {}
        [(_, _, one), (_, at, other), ..] => {
            section.fault(*at, &format!("both {one:?} and {other:?}"), "keep one of them");
        }
    }
    let by = pid_file.or(cgroup).or(name)?;
    Some(Box::new(move |_, _| Some(Kind::Process(Process { by: by.clone() }))))
}

fn named(section: &mut Section<'_, '_>) -> Option<ProcessBy> {
    let name = section.get(&NAME);
    let arguments = section.get(&ARGUMENTS);
    let at_least = section.get(&AT_LEAST);
    let at_most = section.get(&AT_MOST);
    let (at_least, bounded) = (at_least?, section.has(&AT_MOST));
    if let Some(at_most) = at_most.filter(|at_most| *at_most < at_least) {
        let what = format!("at least {at_least} processes and at most {at_most}");
        section.fault(section.at(&AT_MOST), &what, "write a higher \"at_most\" or a lower \"at_least\"");
    } else if at_least == 0 && !bounded {
        section.fault(section.at(&AT_LEAST), "any number of processes", "add \"at_most\"");
    }
    Some(ProcessBy::Name { name: name?, arguments, at_least, at_most })
}

fn cgroup(field: &mut Field<'_, '_>) -> Option<String> {
    let text = field.text()?;
    // As /proc/PID/cgroup and the file system write it.
    let path = text.strip_prefix("/sys/fs/cgroup").unwrap_or(text);
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    let is_folder = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
    if path.len() > text::TEXT_MAX || !path.split('/').all(is_folder) {
        field.wrong(&quote(text), "such as \"system.slice/nginx.service\"");
        return None;
    }
    Some(path.to_owned())
}

fn name(field: &mut Field<'_, '_>) -> Option<String> {
    const LENGTH_MAX: usize = 255;
    let text = field.text()?;
    if !(1..=LENGTH_MAX).contains(&text.len()) || text.contains(['/', '\0']) {
        field.wrong(&quote(text), "write it without a path, such as \"nginx\"");
        return None;
    }
    Some(text.to_owned())
}

pub(super) fn target(check: &Process) -> String {
    match &check.by {
        ProcessBy::PidFile(path) => path.display().to_string(),
        ProcessBy::Cgroup(path) => path.clone(),
        ProcessBy::Name { name, .. } => name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{check, faults};

    fn text(keys: &str) -> String {
        format!("[check.a]\ntype = \"process\"\n{keys}")
    }

    fn by(keys: &str) -> ProcessBy {
        match check(&text(keys), "a").kind {
            Kind::Process(process) => process.by,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn finds_processes_by_file_group_or_name() {
        assert_eq!(by("pid_file = \"/run/nginx.pid\""), ProcessBy::PidFile("/run/nginx.pid".into()));
        for path in ["a.slice/b.service", "/a.slice/b.service", "/sys/fs/cgroup/a.slice/b.service/"] {
            assert_eq!(
                by(&format!("cgroup = \"{path}\"")),
                ProcessBy::Cgroup("a.slice/b.service".to_owned())
            );
        }
        let named = |arguments: Option<&str>, at_least, at_most| ProcessBy::Name {
            name: "nginx".to_owned(),
            arguments: arguments.map(str::to_owned),
            at_least,
            at_most,
        };
        assert_eq!(by("name = \"nginx\""), named(None, 1, None));
        assert_eq!(by("name = \"nginx\"\nat_least = 0\nat_most = 0"), named(None, 0, Some(0)));
        let keys = "name = \"nginx\"\narguments = \"-c /etc\"\nat_least = 2\nat_most = 9";
        assert_eq!(by(keys), named(Some("-c /etc"), 2, Some(9)));
    }

    #[test]
    fn refuses_none_or_two_ways_to_find_them() {
        for (keys, rest) in [
            ("", "1:8: [check.a] has none of \"pid_file\", \"cgroup\" and \"name\"; add one of them"),
            (
                "name = \"a\"\npid_file = \"/a\"\ncgroup = \"a\"",
                "5:10: both \"pid_file\" and \"cgroup\" in [check.a]; keep one of them",
            ),
            (
                "pid_file = \"/a\"\nat_least = 2",
                "4:12: \"at_least\" in [check.a] does not go without \"name\"; leave it out, or find processes by name",
            ),
            (
                "name = \"a\"\nat_most = 0",
                "4:11: at least 1 processes and at most 0 in [check.a]; \
                 write a higher \"at_most\" or a lower \"at_least\"",
            ),
            ("name = \"a\"\nat_least = 0", "4:12: any number of processes in [check.a]; add \"at_most\""),
            (
                "name = \"/usr/sbin/nginx\"",
                "3:8: \"name\" in [check.a] must be the file name of a program, not \"/usr/sbin/nginx\"; \
                 write it without a path, such as \"nginx\"",
            ),
            (
                "cgroup = \"a/../b\"",
                "3:10: \"cgroup\" in [check.a] must be the path of a control group, not \"a/../b\"; \
                 such as \"system.slice/nginx.service\"",
            ),
        ] {
            assert_eq!(faults(&text(keys)), format!("vipkit.toml:{rest}"), "for {keys}");
        }
    }
}
