//! What is said and asked, against naive references over random histories.

use proptest::{collection::vec, prelude::*};
use serde::Deserialize;

use super::Booked;
use crate::oracle::{
    Claim, Facts, Happened, as_asked, never_denied, said,
    testing::{Story, find},
};

proptest! {
    /// Each key says a number; a later one must not be smaller. Every claim is asked for `lead` claims before.
    #[test]
    fn the_first_denial_of_each_key_is_reported(claims in vec((0_u8..2, 0_u8..4, 0_usize..4), 0..8)) {
        let rows: Vec<_> = claims.iter().enumerate().map(|(record, &(key, what, lead))| {
            Claim { key, since: record.saturating_sub(lead), record, what }
        }).collect();
        let mut expect = Vec::new();
        for key in 0..2 {
            let of_key: Vec<_> = rows.iter().filter(|c| c.key == key).collect();
            let denied = of_key.iter().find_map(|later| {
                let known = |c: &&&Claim<u8, u8>| c.record < later.since && c.record < later.record;
                let earlier = of_key.iter().filter(known).find(|c| c.what > later.what)?;
                Some(format!("{key}: {} {}", earlier.record, later.record))
            });
            expect.extend(denied);
        }
        let told = rows.clone();
        let rule = never_denied(move |_: &Facts<'_>| told.clone(), |was, is| was <= is)
            .say(|d| format!("{}: {} {}", d.key, d.earlier.record, d.later.record));
        let found = find(&rule, |s| {
            for _ in 0..8 {
                s.asks("Bookings/b/Book", "");
            }
        });
        prop_assert_eq!(found.into_iter().map(|v| v.message).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn an_effect_is_asked_for_by_a_request_to_its_object(
        asked in vec((0_u32..2, prop::option::of(0_u32..3)), 0..5), booked in vec((0_u32..2, 0_u32..3), 0..5),
    ) {
        #[derive(Deserialize)]
        struct Asked {
            room: u32,
        }
        let rule = as_asked("Bookings", |b: &Happened<'_, Booked>, asked: &Asked| b.room == asked.room)
            .say(|u| format!("{} {} {}", u.effect.key(), u.effect.room, u.asked.len()));
        let mut expect = Vec::new();
        for &(key, room) in &booked {
            let of_key: Vec<_> = asked.iter().filter(|(of, room)| *of == key && room.is_some()).collect();
            if !of_key.iter().any(|(_, asked)| *asked == Some(room)) {
                expect.push(format!("{key} {room} {}", of_key.len()));
            }
        }
        let found = find(&rule, |s| {
            for (key, room) in &asked {
                let body = room.map_or("{}".into(), |room| format!(r#"{{"room":{room}}}"#));
                s.begin(&format!("Bookings/{key}/Book"), &body);
                s.begin(&format!("Hotels/{key}/Book"), r#"{"room":0}"#);
            }
            for (id, (key, room)) in booked.iter().enumerate() {
                let inv = s.begin(&format!("Bookings/{key}/Other"), "");
                s.effect(inv, "hotel", "book", Booked { room: *room, id });
            }
        });
        prop_assert_eq!(found.into_iter().map(|v| v.message).collect::<Vec<_>>(), expect);
    }
}

#[test]
fn what_is_said_comes_in_order_and_a_killed_handler_says_nothing() {
    let mut story = Story::new();
    let (first, second) = (story.begin("B/b/Book", "1"), story.begin("B/b/Get", ""));
    story.set(first, "state", "7");
    story.fails(second, 404, "no");
    story.set(first, "other", "no json");
    story.done(first, "8");
    let killed = story.begin("B/b/Book", "1");
    story.kill(killed);
    story.fails(killed, 409, "killed");
    let facts = Facts::of(story.history());
    let said = said::<u32>(&facts, "B");
    let words: Vec<_> = said["b"].iter().map(|s| (&*s.name, s.stored, s.outcome)).collect();
    let expect = [
        ("state", true, Ok(Some(7))),
        ("Get", false, Err(404)),
        ("other", true, Ok(None)),
        ("Book", false, Ok(Some(8))),
    ];
    assert_eq!(words, expect);
    assert!(said["b"][3].since < said["b"][0].record, "it was asked for before");
    assert!(said.len() == 1 && said["b"][3].is_answer("Book") && !said["b"][0].is_answer("state"));
}
