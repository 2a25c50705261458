//! Profiles: when each move is due.
//!
//! ```text
//!  steady      ────────────      diurnal   ╭──╮        clue-drop   │╲        city-launch   ┌┐
//!                                        ╭─╯  ╰─╮               ───┘ ╲___               ───┘└───
//! ```
//!
//! A profile is a rate over time. The due times are those at which the sum of the rate passes 1, 2, 3, …:
//! as even as the rate allows, and known before anything is sent.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Seconds of the ordinary rate before a spike: what "normal" is is measured there.
const CALM_S: f64 = 2.0;
/// Clue drop: seconds in which the rate rises, and in which it falls again.
const RISE_S: f64 = 0.5;
const FALL_S: f64 = 8.0;
/// Its rates: before, and at the top.
const CLUE_BASE: f64 = 25_000.0;
const CLUE_PEAK: f64 = 250_000.0;
/// The fall is exponential: so many times is the time constant in its length.
const FALL_CONSTANTS: f64 = 3.0;
/// City launch: so many moves, in so many seconds, and so many a second before and after.
const LAUNCH_MOVES: f64 = 35_000.0;
const LAUNCH_S: f64 = 0.1;
const LAUNCH_BASE: f64 = 10_000.0;
/// A day's lowest rate as a share of its highest.
const NIGHT: f64 = 0.1;
/// Steps of the summing up, in seconds.
const STEP_S: f64 = 1e-4;

/// The shape of a load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// One rate.
    Steady,
    /// A day in the seconds given: a tenth of the rate at night, all of it at noon.
    Diurnal,
    /// From 25,000/s to 250,000/s in half a second, and back within eight.
    ClueDrop,
    /// 35,000 moves in 100 ms.
    CityLaunch,
    /// The next move as soon as there is room for it.
    Saturated,
}

impl Profile {
    const ALL: [Profile; 5] = [
        Profile::Steady,
        Profile::Diurnal,
        Profile::ClueDrop,
        Profile::CityLaunch,
        Profile::Saturated,
    ];

    /// The name that is typed.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Steady => "steady",
            Profile::Diurnal => "diurnal",
            Profile::ClueDrop => "clue-drop",
            Profile::CityLaunch => "city-launch",
            Profile::Saturated => "saturated",
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Profile, String> {
        let known = Profile::ALL
            .into_iter()
            .find(|profile| profile.name() == text);
        known.ok_or_else(|| {
            let names = Profile::ALL.map(Profile::name).join(", ");
            format!("give one of {names}")
        })
    }
}

/// A profile with its figures.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Which.
    pub profile: Profile,
    /// Moves a second, at the most; steady and diurnal only.
    pub rate: f64,
    /// How long; steady and diurnal only.
    pub seconds: f64,
    /// All rates times this: to find out what a machine can bear.
    pub scale: f64,
}

/// A spike, in nanoseconds from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spike {
    /// Where it begins.
    pub start_ns: u64,
    /// From here on the rate does not rise any more.
    pub top_ns: u64,
    /// Where it ends.
    pub end_ns: u64,
}

impl Shape {
    /// Moves a second at a moment.
    fn rate_at(&self, second: f64) -> f64 {
        let rate = match self.profile {
            Profile::Steady | Profile::Saturated => self.rate,
            Profile::Diurnal => {
                let angle = std::f64::consts::TAU * second / self.seconds;
                self.rate * (NIGHT + (1.0 - NIGHT) * (1.0 - angle.cos()) / 2.0)
            }
            Profile::ClueDrop => clue_rate(second - CALM_S),
            Profile::CityLaunch => {
                let is_launch = (CALM_S..CALM_S + LAUNCH_S).contains(&second);
                if is_launch {
                    LAUNCH_MOVES / LAUNCH_S
                } else {
                    LAUNCH_BASE
                }
            }
        };
        rate * self.scale
    }

    /// How long it goes on.
    pub fn length_s(&self) -> f64 {
        match self.profile {
            Profile::Steady | Profile::Diurnal | Profile::Saturated => self.seconds,
            Profile::ClueDrop => CALM_S + RISE_S + FALL_S + CALM_S,
            Profile::CityLaunch => CALM_S + LAUNCH_S + CALM_S,
        }
    }

    /// No fewer moves than there will be.
    pub fn moves_at_most(&self) -> f64 {
        let highest = match self.profile {
            Profile::Steady | Profile::Diurnal | Profile::Saturated => self.rate * self.length_s(),
            Profile::ClueDrop => CLUE_PEAK * self.length_s(),
            Profile::CityLaunch => LAUNCH_BASE * self.length_s() + LAUNCH_MOVES,
        };
        highest * self.scale
    }

    /// Where its spike is, if it has one.
    pub fn spike(&self) -> Option<Spike> {
        let (rise_s, length_s) = match self.profile {
            Profile::ClueDrop => (RISE_S, RISE_S + FALL_S),
            Profile::CityLaunch => (LAUNCH_S, LAUNCH_S),
            Profile::Steady | Profile::Diurnal | Profile::Saturated => return None,
        };
        let ns = |second: f64| (second * 1e9) as u64;
        Some(Spike {
            start_ns: ns(CALM_S),
            top_ns: ns(CALM_S + rise_s),
            end_ns: ns(CALM_S + length_s),
        })
    }

    /// When each move is due, in nanoseconds from the start; all zero where the next is due at once.
    pub fn due_ns(&self) -> Vec<u64> {
        if self.profile == Profile::Saturated {
            return vec![0; (self.rate * self.seconds * self.scale) as usize];
        }
        let mut due = Vec::new();
        let (mut sum, mut next) = (0.0, 1.0);
        for step in 0..(self.length_s() / STEP_S).round() as u64 {
            let start = step as f64 * STEP_S;
            let share = self.rate_at(start + STEP_S / 2.0) * STEP_S;
            while next <= sum + share {
                let at = start + STEP_S * (next - sum) / share;
                due.push((at * 1e9) as u64);
                next += 1.0;
            }
            sum += share;
        }
        due
    }
}

/// The rate of a clue drop so many seconds after it began.
fn clue_rate(second: f64) -> f64 {
    let height = if second < 0.0 {
        0.0
    } else if second < RISE_S {
        second / RISE_S
    } else {
        // Down to nothing at its end, and not only nearly.
        let end = (-FALL_CONSTANTS).exp();
        let fallen = ((second - RISE_S) / FALL_S).min(1.0);
        ((-FALL_CONSTANTS * fallen).exp() - end) / (1.0 - end)
    };
    CLUE_BASE + (CLUE_PEAK - CLUE_BASE) * height
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(profile: Profile) -> Shape {
        Shape {
            profile,
            rate: 10_000.0,
            seconds: 2.0,
            scale: 1.0,
        }
    }

    fn between(due: &[u64], from_s: f64, to_s: f64) -> usize {
        due.iter()
            .filter(|&&due| (from_s * 1e9..to_s * 1e9).contains(&(due as f64)))
            .count()
    }

    #[test]
    fn a_steady_load_is_even() {
        let due = shape(Profile::Steady).due_ns();
        assert!((19_999..=20_000).contains(&due.len()), "{}", due.len());
        let gaps = due.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.clone().all(|gap| (99_990..=100_010).contains(&gap)));
    }

    #[test]
    fn a_day_has_its_noon_in_the_middle() {
        let due = shape(Profile::Diurnal).due_ns();
        let (night, noon) = (between(&due, 0.0, 0.1), between(&due, 0.95, 1.05));
        assert!(
            (100..130).contains(&night) && (990..=1000).contains(&noon),
            "{night} {noon}"
        );
    }

    #[test]
    fn a_clue_drop_rises_tenfold_in_half_a_second_and_falls_in_eight() {
        let due = shape(Profile::ClueDrop).due_ns();
        assert!((49_999..=50_001).contains(&between(&due, 0.0, 2.0)));
        assert!(
            (2400..2500).contains(&between(&due, 2.5, 2.51)),
            "{}",
            between(&due, 2.5, 2.51)
        );
        assert!((68_600..68_900).contains(&between(&due, 2.0, 2.5)));
        assert!((250..260).contains(&between(&due, 10.5, 10.51)));
        assert!(due.is_sorted());
        let spike = shape(Profile::ClueDrop).spike().unwrap();
        assert_eq!(
            (spike.start_ns, spike.top_ns, spike.end_ns),
            (2_000_000_000, 2_500_000_000, 10_500_000_000)
        );
    }

    #[test]
    fn a_city_launch_is_35_000_moves_in_a_tenth_of_a_second() {
        let due = shape(Profile::CityLaunch).due_ns();
        assert!((34_998..=35_002).contains(&between(&due, 2.0, 2.1)));
        assert!((19_999..=20_001).contains(&between(&due, 0.0, 2.0)));
    }

    #[test]
    fn scale_changes_the_rate_and_not_the_time() {
        let half = Shape {
            scale: 0.5,
            ..shape(Profile::CityLaunch)
        };
        assert!((17_498..=17_502).contains(&between(&half.due_ns(), 2.0, 2.1)));
        assert_eq!(half.spike(), shape(Profile::CityLaunch).spike());
    }

    #[test]
    fn names_are_read_and_others_are_refused_with_the_list() {
        for profile in Profile::ALL {
            assert_eq!(profile.name().parse(), Ok(profile));
        }
        assert!("storm"
            .parse::<Profile>()
            .unwrap_err()
            .contains("clue-drop"));
    }
}
