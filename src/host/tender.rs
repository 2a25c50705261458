//! The tender: one thread of a host that sleeps on the control socket and the engine's pidfd, and
//! wakes when the engine says something, or dies. Then it finds out how far the dead engine had come,
//! and resumes with the next one at the same path.
//!
//! ```text
//!   attached ──hang-up, or death──▶ resuming ──READY──▶ attached (next epoch)
//!      │                              └─ refused, or patience over ──▶ gone
//!      └─ host and all lanes dropped ──▶ end
//! ```
//!
//! It does not touch what belongs to lanes; they follow in their own time.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};

use super::link::Link;
use super::shared::HostShared;
use super::walk::lane_resume;
use crate::attach::{
    self, recv_notice, AttachError, LaneResume, Notice, RefusalCode, RegionHeader,
};
use crate::lane::Regions;
use crate::layout::ROLE_REQUEST;
use crate::ring::{Cursor, PositionWord};
use crate::sys::barrier::{self, Barrier};
use crate::sys::clock::deadline_in;
use crate::wait::Doze;

/// First and longest pause between two tries to resume.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Tender {
    pub(super) host: Weak<HostShared>,
    pub(super) link: Arc<Link>,
    /// Readable when the host and all its lanes are gone.
    pub(super) end: OwnedFd,
    pub(super) lanes: Vec<LaneResume>,
    /// The engine left in good order: its end is no death that a request has caused.
    pub(super) leaving: bool,
}

/// What woke the tender.
enum News {
    End,
    Said(Notice),
    Death,
}

impl Tender {
    pub(super) fn run(mut self) {
        loop {
            match self.listen() {
                News::End => return,
                News::Said(notice) => self.said(notice),
                News::Death => match self.resume() {
                    Resumed::Link(link) => (self.link, self.leaving) = (link, false),
                    Resumed::Gone(reason) => {
                        if let Some(host) = self.host.upgrade() {
                            tracing::warn!(reason, "the engine is gone");
                            host.set_gone(reason);
                        }
                        return;
                    }
                    Resumed::End => return,
                },
            }
        }
    }

    fn listen(&self) -> News {
        loop {
            let mut fds = vec![
                PollFd::new(&self.end, PollFlags::IN),
                PollFd::new(&self.link.socket, PollFlags::IN),
            ];
            fds.extend(
                self.link
                    .engine_pidfd
                    .iter()
                    .map(|fd| PollFd::new(fd, PollFlags::IN)),
            );
            let _ = poll(&mut fds, None);
            let woken: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if woken[0] {
                return News::End;
            }
            if woken[1] {
                match recv_notice(self.link.socket.as_fd()) {
                    Ok(Some(notice)) => return News::Said(notice),
                    Ok(None) => {}
                    Err(_) => return News::Death,
                }
            }
            if woken.get(2) == Some(&true) {
                return News::Death;
            }
        }
    }

    fn said(&mut self, notice: Notice) {
        let Some(host) = self.host.upgrade() else {
            return;
        };
        match notice {
            Notice::Refused { reason }
                if reason.code == RefusalCode::LaneClosed
                    && reason.limit < self.link.terms.lanes.into() =>
            {
                tracing::warn!(lane = reason.limit, %reason, "the engine closed a lane");
                host.close_lane(reason.limit as u32, reason.text);
            }
            Notice::Draining => tracing::info!("the engine is halting"),
            Notice::Detach => self.leaving = true,
            Notice::Refused { reason } => tracing::warn!(%reason, "the engine ends this host"),
        }
    }

    /// Walks what the dead engine left, then knocks at the path until an engine answers.
    fn resume(&mut self) -> Resumed {
        let Some(patience) = self.patience() else {
            return Resumed::Gone("it ended, and this host does not resume".into());
        };
        let until = deadline_in(patience);
        if let Err(end) = self.prepare() {
            return end;
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let tried = match self.host.upgrade() {
                None => return Resumed::End,
                Some(host) => self.knock(&host),
            };
            let error = match tried {
                Ok(link) => return Resumed::Link(link),
                Err(error) => error,
            };
            if !may_pass(&error) || Instant::now() >= until {
                return Resumed::Gone(error.to_string());
            }
            if self.ended_within(pause) {
                return Resumed::End;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn patience(&self) -> Option<Duration> {
        self.host.upgrade().and_then(|host| host.options.patience)
    }

    /// Finds out where each lane stands, clears the position words of the epoch to come, and writes
    /// that epoch into the request region's header.
    fn prepare(&mut self) -> Result<(), Resumed> {
        let host = self.host.upgrade().ok_or(Resumed::End)?;
        host.tidy_pool();
        let next_epoch = self.link.epoch() + 1;
        for (lane, remembered) in self.lanes.iter_mut().enumerate() {
            let track = &host.tracks[lane];
            track.silence(next_epoch, Barrier::agreed(barrier::register()));
            let before = *remembered;
            if lane_resume(&self.link, lane as u32, track, remembered).is_none() {
                let reason = format!("it left an impossible position in lane {lane}");
                return Err(Resumed::Gone(reason));
            }
            if self.leaving {
                let same = remembered.last_reply == before.last_reply;
                let seen = if same { before.deaths } else { 0 };
                remembered.deaths = remembered.deaths.min(seen);
            }
            let word = self.link.regions.reply_position(lane as u32, next_epoch);
            word.publish(Cursor {
                position: 0,
                number: remembered.last_reply + 1,
            });
        }
        let host_id = self.link.terms.host_id;
        let header = RegionHeader::new(ROLE_REQUEST, host_id, next_epoch);
        header.write(&self.link.regions.request);
        Ok(())
    }

    fn knock(&self, host: &HostShared) -> Result<Arc<Link>, AttachError> {
        let side = attach::resume(
            &host.path,
            &host.options.wishes,
            &self.link.terms,
            host.request_fd.as_fd(),
            &self.lanes,
            host.options.attach_deadline,
        )?;
        let link = Arc::new(Link {
            regions: Regions {
                reply: Arc::new(side.reply),
                ..self.link.regions.clone()
            },
            events: side.events.into_iter().map(Arc::new).collect(),
            terms: side.terms,
            socket: side.socket,
            doorbells: side.doorbells,
            engine_pidfd: side.engine_pidfd,
            first_replies: self.lanes.iter().map(|lane| lane.last_reply + 1).collect(),
        });
        host.add_link(link.clone());
        // `epoch`: whoever committed before seeing the new epoch has its record found by this ring.
        // By what this process can do: a lane may still rely on what it agreed with the last engine.
        Barrier::agreed(barrier::register()).sleeper();
        for doorbell in &link.doorbells {
            let flags = rustix::net::SendFlags::DONTWAIT | rustix::net::SendFlags::NOSIGNAL;
            let _ = rustix::net::send(doorbell, &[1], flags);
        }
        host.nap.kick();
        tracing::info!(epoch = link.epoch(), "resumed with another engine");
        Ok(link)
    }

    /// Sleeps; says whether the host ended meanwhile.
    fn ended_within(&self, pause: Duration) -> bool {
        let mut fds = [PollFd::new(&self.end, PollFlags::IN)];
        let pause = Timespec::try_from(pause).expect("a short pause");
        matches!(poll(&mut fds, Some(&pause)), Ok(1..))
    }
}

enum Resumed {
    Link(Arc<Link>),
    Gone(String),
    End,
}

/// May the same try succeed a little later?
fn may_pass(error: &AttachError) -> bool {
    match error {
        AttachError::NoEngine { .. } | AttachError::HungUp { .. } | AttachError::Silence { .. } => {
            true
        }
        AttachError::Refused(refusal) => matches!(
            refusal.code,
            RefusalCode::Draining
                | RefusalCode::ResumeServed
                | RefusalCode::Silence
                // Places and memory of those who have just left are still being given back.
                | RefusalCode::Hosts
                | RefusalCode::HostsPerUid
                | RefusalCode::MemoryPerUid
                | RefusalCode::Resources
        ),
        _ => false,
    }
}
