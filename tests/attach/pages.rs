//! All three kinds of pages, through the whole conversation.

use std::os::fd::AsFd;

use ironhoard::attach::*;
use ironhoard::layout::{region_bytes, ROLE_REQUEST};
use ironhoard::region::{PageMode, PageSize};

use crate::common::*;
use crate::hugepages::HugePages;

fn wishes(pages: PageMode, capacity: u64) -> Wishes {
    Wishes {
        request_capacity: capacity,
        reply_capacity: capacity,
        pages,
        ..small_wishes()
    }
}

fn attached_with(ledger: &std::sync::Arc<Ledger>, wishes: &Wishes) -> (HostSide, EngineSide) {
    let (host, engine) = at_an_engine(policy(), ledger, |path| attach(path, wishes, SOON));
    (host.unwrap(), engine.unwrap())
}

#[test]
fn pages_of_the_pool_at_both_ends_and_an_engine_without_them_afterwards() {
    let Some(pool) = HugePages::with_free(2) else {
        return;
    };
    let ledger = Ledger::new();
    let (host, engine) = attached_with(&ledger, &wishes(PageMode::RequireHuge, 4096));
    let terms = &host.terms;
    assert_eq!((terms.request_bytes, terms.reply_bytes), (2 << 20, 2 << 20));
    for mapping in [&host.request, &host.reply, &engine.request, &engine.reply] {
        assert_eq!(mapping.page_size(), PageSize::Huge2M);
    }
    assert_eq!(pool.free(), 0);

    drop(engine);
    RegionHeader::new(ROLE_REQUEST, terms.host_id, 2).write(&host.request);
    let wishes = wishes(PageMode::Small, 4096);
    let fd = host.request_fd.as_fd();
    let lanes = [LaneResume::default(); 2];
    let (new, engine) = at_an_engine(policy(), &ledger, |path| {
        resume(path, &wishes, terms, fd, &lanes, SOON)
    });
    let (new, engine) = (new.unwrap(), engine.unwrap());
    assert_eq!(new.terms.request_pages, PageSize::Huge2M);
    assert_eq!(new.terms.reply_pages, PageSize::Small4K);
    drop((host, new, engine));
    assert!(pool.comes_to(2), "all pages are given back");
}

#[test]
fn without_a_pool_both_ends_agree_on_what_was_got() {
    let Some(_pool) = HugePages::with_free(0) else {
        return;
    };
    for pages in [PageMode::Auto, PageMode::Small] {
        let wishes = wishes(pages, 256 << 10);
        let (host, engine) = attached_with(&Ledger::new(), &wishes);
        let terms = &host.terms;
        assert_ne!(terms.request_pages, PageSize::Huge2M);
        let bytes = terms.request_pages.round_up(region_bytes(2, 256 << 10));
        assert_eq!(Some(terms.request_bytes), bytes);
        assert_eq!(host.request.page_size(), engine.request.page_size());
        if pages == PageMode::Small {
            assert_eq!(terms.request_pages, PageSize::Small4K);
        }
    }
}
