//! Families whose series are known by number, so that counting needs no labels.

use indexmap::IndexMap;

use super::exposition::{Exposition, FamilyWriter, Kind, push_label};
use super::extra::ExtraValues;
use super::histogram::{Buckets, Histogram};
use super::{DisabledLabels, OVERFLOW};

/// Idle time after which series make room when a family is full.
const IDLE_WHEN_FULL: u32 = 3600;

/// A label of a family.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    name: &'static str,
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Few values; tells samples apart that must not be mixed. Cannot be disabled.
    Fixed,
    /// Few values.
    Bounded,
    /// As many values as there are routes, consumers, models…; gives way to [`OVERFLOW`].
    Open,
}

impl Label {
    pub(crate) const fn fixed(name: &'static str) -> Self {
        Self {
            name,
            role: Role::Fixed,
        }
    }

    pub(crate) const fn bounded(name: &'static str) -> Self {
        Self {
            name,
            role: Role::Bounded,
        }
    }

    pub(crate) const fn open(name: &'static str) -> Self {
        Self {
            name,
            role: Role::Open,
        }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Whether its value gives way to [`OVERFLOW`].
    pub(crate) fn is_open(&self) -> bool {
        self.role == Role::Open
    }
}

/// The labels of one metric that are blanked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blanks<const N: usize>([bool; N]);

impl<const N: usize> Blanks<N> {
    pub(crate) const NONE: Self = Self([false; N]);

    /// Those that `disabled` names for `metric`.
    pub(crate) fn of(metric: &str, labels: &[Label; N], disabled: &DisabledLabels) -> Self {
        let names = disabled.get(metric).map_or(&[][..], Vec::as_slice);
        Self(labels.map(|label| label.role != Role::Fixed && names.iter().any(|name| name == label.name)))
    }

    pub(crate) fn apply<'a>(&self, mut values: [&'a str; N]) -> [&'a str; N] {
        for (value, blank) in values.iter_mut().zip(self.0) {
            if blank {
                *value = "";
            }
        }
        values
    }
}

/// Name, help text and labels of a family. `N` is the number of labels: giving too few values does not compile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Desc<const N: usize> {
    /// Name; without prefix for the families that APISIX has.
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) labels: [Label; N],
}

/// Label values of one series: those of the family's own labels, and of the labels that the operator added.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LabelValues<'v, const N: usize> {
    pub(crate) own: [&'v str; N],
    pub(crate) extra: ExtraValues<'v>,
}

impl<'v, const N: usize> From<[&'v str; N]> for LabelValues<'v, N> {
    fn from(own: [&'v str; N]) -> Self {
        Self {
            own,
            extra: ExtraValues::None,
        }
    }
}

/// How many series a family keeps, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeriesLimits {
    /// Series after which new labels overflow.
    pub(crate) max: usize,
    /// Seconds after which an idle series goes; 0 is never.
    pub(crate) expire_secs: u32,
}

/// Number of a series in its family. Valid until [`Family::sweep`] says that it removed something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeriesId(usize);

/// A series number that is found out at its first use: series that are never counted do not show.
pub(crate) type LazyId = Option<SeriesId>;

/// Series of one family, interned by their rendered labels.
#[derive(Debug)]
struct SeriesTable<V, const N: usize> {
    desc: Desc<N>,
    /// Labels that the operator added, and where their values are.
    extras: Vec<(String, usize)>,
    blanks: Blanks<N>,
    series: IndexMap<Box<str>, Slot<V>>,
    limits: SeriesLimits,
    /// Lookups that ended in an overflow series.
    overflowed: u64,
    /// Series numbers in order of their labels; shorter than `series` when it must be made anew.
    order: Vec<usize>,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    /// Seconds since the epoch.
    touched: u32,
}

impl<V, const N: usize> SeriesTable<V, N> {
    fn new(desc: Desc<N>, limits: SeriesLimits) -> Self {
        let series = IndexMap::new();
        Self {
            desc,
            extras: Vec::new(),
            blanks: Blanks::NONE,
            series,
            limits,
            overflowed: 0,
            order: Vec::new(),
        }
    }

    fn is_full(&self) -> bool {
        self.series.len() >= self.limits.max
    }

    /// The value of the series with these labels, remembered in `id`.
    fn touch<'v, L: Into<LabelValues<'v, N>>>(
        &mut self,
        id: &mut LazyId,
        values: impl FnOnce() -> L,
        new: impl FnOnce() -> V,
        now: u32,
    ) -> &mut V {
        let blanks = self.blanks;
        let found = id.unwrap_or_else(|| {
            let values = values().into();
            let own = blanks.apply(values.own);
            self.intern(LabelValues { own, ..values }, new)
        });
        *id = Some(found);
        let slot = &mut self.series[found.0];
        slot.touched = now;
        &mut slot.value
    }

    fn intern(&mut self, values: LabelValues<'_, N>, new: impl FnOnce() -> V) -> SeriesId {
        let mut rendered = self.render(values);
        if self.is_full() && !self.series.contains_key(rendered.as_str()) {
            let mut overflowed = LabelValues {
                extra: ExtraValues::Overflow,
                ..values
            };
            for (value, label) in overflowed.own.iter_mut().zip(&self.desc.labels) {
                if label.is_open() {
                    *value = OVERFLOW;
                }
            }
            rendered = self.render(overflowed);
            self.overflowed += 1;
        }
        let found = self.series.get_index_of(rendered.as_str());
        SeriesId(found.unwrap_or_else(|| {
            self.series
                .insert_full(
                    rendered.into(),
                    Slot {
                        value: new(),
                        touched: 0,
                    },
                )
                .0
        }))
    }

    fn render(&self, values: LabelValues<'_, N>) -> String {
        let mut out = String::new();
        for (label, value) in self.desc.labels.iter().zip(values.own) {
            push_label(label.name, value, &mut out);
        }
        for (name, place) in &self.extras {
            let value = match values.extra {
                ExtraValues::Known(all) => all.get(*place).map_or("", String::as_str),
                ExtraValues::Overflow => OVERFLOW,
                ExtraValues::None => "",
            };
            push_label(name, value, &mut out);
        }
        out
    }

    fn sweep(&mut self, now: u32, full: bool) -> bool {
        let idle = match (self.limits.expire_secs, full) {
            (0, false) => return false,
            (0, true) => IDLE_WHEN_FULL,
            (expire, true) => expire.min(IDLE_WHEN_FULL),
            (expire, false) => expire,
        };
        let before = self.series.len();
        self.series
            .retain(|_, slot| now.saturating_sub(slot.touched) < idle);
        let removed = self.series.len() < before;
        if removed {
            self.order.clear();
        }
        removed
    }

    fn write(&mut self, writer: &mut FamilyWriter<'_>, mut one: impl FnMut(&mut FamilyWriter<'_>, &str, &V)) {
        if self.order.len() != self.series.len() {
            self.order = (0..self.series.len()).collect();
            self.order
                .sort_unstable_by_key(|&nth| self.series.get_index(nth).map(|(labels, _)| labels));
        }
        for (labels, slot) in self.order.iter().filter_map(|&nth| self.series.get_index(nth)) {
            one(writer, labels, &slot.value);
        }
    }
}

/// A counter with labels.
#[derive(Debug)]
pub(crate) struct CounterFamily<const N: usize>(SeriesTable<u64, N>);

impl<const N: usize> CounterFamily<N> {
    pub(crate) fn new(desc: Desc<N>, limits: SeriesLimits) -> Self {
        Self(SeriesTable::new(desc, limits))
    }

    /// Adds labels: names, and the places of their values.
    pub(crate) fn with_extras(mut self, extras: Vec<(String, usize)>) -> Self {
        self.0.extras = extras;
        self
    }

    /// Adds `n` to the series `id`, or to the one with these label values, which `id` then is.
    pub(crate) fn add<'v, L: Into<LabelValues<'v, N>>>(
        &mut self,
        id: &mut LazyId,
        values: impl FnOnce() -> L,
        n: u64,
        now: u32,
    ) {
        let value = self.0.touch(id, values, || 0, now);
        *value = value.saturating_add(n);
    }
}

/// A histogram with labels.
#[derive(Debug)]
pub(crate) struct HistogramFamily<const N: usize> {
    table: SeriesTable<Histogram, N>,
    buckets: Buckets,
}

impl<const N: usize> HistogramFamily<N> {
    pub(crate) fn new(desc: Desc<N>, buckets: Buckets, limits: SeriesLimits) -> Self {
        Self {
            table: SeriesTable::new(desc, limits),
            buckets,
        }
    }

    /// Adds labels: names, and the places of their values.
    pub(crate) fn with_extras(mut self, extras: Vec<(String, usize)>) -> Self {
        self.table.extras = extras;
        self
    }

    /// Counts `value` in the series `id`, or in the one with these label values, which `id` then is.
    pub(crate) fn observe<'v, L: Into<LabelValues<'v, N>>>(
        &mut self,
        id: &mut LazyId,
        values: impl FnOnce() -> L,
        value: u64,
        now: u32,
    ) {
        let histogram = self.table.touch(id, values, || self.buckets.empty(), now);
        self.buckets.observe(histogram, value);
    }
}

/// What all families of a group are told, whatever they count.
pub(crate) trait Family {
    /// Whether new labels overflow.
    fn is_full(&self) -> bool;
    /// Lookups that ended in an overflow series.
    fn overflowed(&self) -> u64;
    /// Removes what has been idle for too long, which is sooner when the group is `full`; true when something went,
    /// which makes all series numbers of this family void.
    fn sweep(&mut self, now: u32, full: bool) -> bool;
    /// Blanks labels of series that are yet to be found; series numbers found before are void.
    fn set_disabled(&mut self, disabled: &DisabledLabels);
    /// Writes the family; its name gets APISIX's prefix if `prefixed`.
    fn collect(&mut self, prefixed: bool, out: &mut Exposition);
}

/// Sweeps every family of a group whose label sets are used up if `full`; true when something went.
pub(crate) fn sweep_all(families: &mut [&mut dyn Family], full: bool, now: u32) -> bool {
    let full = full || families.iter().any(|family| family.is_full());
    let mut removed = false;
    for family in families {
        removed |= family.sweep(now, full);
    }
    removed
}

/// Lookups of all families that ended in an overflow series.
pub(crate) fn overflowed_in_all(families: &[&mut dyn Family]) -> u64 {
    families.iter().map(|family| family.overflowed()).sum()
}

fn writer<'o, const N: usize>(
    desc: &Desc<N>,
    kind: Kind,
    prefixed: bool,
    out: &'o mut Exposition,
) -> FamilyWriter<'o> {
    if prefixed {
        out.apisix_family(desc.name, kind, desc.help)
    } else {
        out.family(desc.name, kind, desc.help)
    }
}

impl<const N: usize> Family for CounterFamily<N> {
    fn is_full(&self) -> bool {
        self.0.is_full()
    }

    fn overflowed(&self) -> u64 {
        self.0.overflowed
    }

    fn sweep(&mut self, now: u32, full: bool) -> bool {
        self.0.sweep(now, full)
    }

    fn set_disabled(&mut self, disabled: &DisabledLabels) {
        self.0.blanks = Blanks::of(self.0.desc.name, &self.0.desc.labels, disabled);
    }

    fn collect(&mut self, prefixed: bool, out: &mut Exposition) {
        let desc = self.0.desc;
        let mut writer = writer(&desc, Kind::Counter, prefixed, out);
        self.0.write(&mut writer, |writer, labels, value| {
            writer.line("", labels, None, (*value).into())
        });
    }
}

impl<const N: usize> Family for HistogramFamily<N> {
    fn is_full(&self) -> bool {
        self.table.is_full()
    }

    fn overflowed(&self) -> u64 {
        self.table.overflowed
    }

    fn sweep(&mut self, now: u32, full: bool) -> bool {
        self.table.sweep(now, full)
    }

    fn set_disabled(&mut self, disabled: &DisabledLabels) {
        self.table.blanks = Blanks::of(self.table.desc.name, &self.table.desc.labels, disabled);
    }

    fn collect(&mut self, prefixed: bool, out: &mut Exposition) {
        let desc = self.table.desc;
        let mut writer = writer(&desc, Kind::Histogram, prefixed, out);
        let buckets = &self.buckets;
        self.table.write(&mut writer, |writer, labels, value| {
            buckets.write(value, labels, writer)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESC: Desc<2> = Desc {
        name: "hits_total",
        help: "Hits.",
        labels: [Label::fixed("code"), Label::open("route")],
    };

    fn family(max: usize, expire_secs: u32) -> CounterFamily<2> {
        CounterFamily::new(DESC, SeriesLimits { max, expire_secs })
    }

    fn text(family: &mut CounterFamily<2>) -> String {
        let mut out = Exposition::new("p_");
        family.collect(true, &mut out);
        out.finish()
    }

    fn hit(family: &mut CounterFamily<2>, code: &'static str, route: &str, now: u32) {
        family.add(&mut None, || [code, route], 1, now);
    }

    #[test]
    fn series_print_in_order_of_their_labels() {
        let mut family = family(10, 0);
        hit(&mut family, "500", "b", 0);
        hit(&mut family, "200", "b", 0);
        assert!(text(&mut family).ends_with(
            "p_hits_total{code=\"200\",route=\"b\"} 1\np_hits_total{code=\"500\",route=\"b\"} 1\n"
        ));
        hit(&mut family, "200", "a", 0);
        hit(&mut family, "200", "b", 0);
        assert_eq!(
            text(&mut family),
            "# HELP p_hits_total Hits.\n# TYPE p_hits_total counter\n\
             p_hits_total{code=\"200\",route=\"a\"} 1\n\
             p_hits_total{code=\"200\",route=\"b\"} 2\n\
             p_hits_total{code=\"500\",route=\"b\"} 1\n"
        );
    }

    #[test]
    fn a_remembered_number_needs_no_labels() {
        let mut family = family(10, 0);
        let mut id = None;
        family.add(&mut id, || ["200", "a"], 1, 0);
        let unasked = || -> [&str; 2] { panic!("labels were asked for") };
        family.add(&mut id, unasked, 2, 0);
        assert!(text(&mut family).contains("} 3\n"));
    }

    #[test]
    fn past_the_budget_open_labels_overflow() {
        let mut family = family(2, 0);
        for route in ["a", "b", "c", "d", "a"] {
            hit(&mut family, "200", route, 0);
        }
        hit(&mut family, "500", "c", 0);
        assert_eq!(family.overflowed(), 3);
        let text = text(&mut family);
        assert!(text.contains("{code=\"200\",route=\"a\"} 2\n"));
        assert!(text.contains("{code=\"200\",route=\"__overflow__\"} 2\n"));
        assert!(text.contains("{code=\"500\",route=\"__overflow__\"} 1\n"));
    }

    #[test]
    fn idle_series_expire_where_that_is_configured() {
        let mut family = family(10, 60);
        hit(&mut family, "200", "old", 100);
        hit(&mut family, "200", "young", 130);
        assert!(!family.sweep(159, false));
        assert!(family.sweep(160, false));
        assert!(!text(&mut family).contains("old"));
        assert!(text(&mut family).contains("young"));
    }

    #[test]
    fn a_full_family_makes_room_by_what_is_idle() {
        let mut family = family(2, 0);
        hit(&mut family, "200", "a", 0);
        assert!(!family.sweep(IDLE_WHEN_FULL, false), "not full, never expires");
        hit(&mut family, "200", "b", IDLE_WHEN_FULL);
        assert!(family.sweep(IDLE_WHEN_FULL, true));
        assert!(!family.is_full());
    }

    #[test]
    fn disabled_labels_are_blank_but_fixed_ones_stay() {
        let mut family = family(10, 0);
        let disabled = [(
            "hits_total".to_owned(),
            vec!["route".to_owned(), "code".to_owned()],
        )]
        .into();
        family.set_disabled(&disabled);
        hit(&mut family, "200", "a", 0);
        hit(&mut family, "200", "b", 0);
        assert!(text(&mut family).ends_with("p_hits_total{code=\"200\",route=\"\"} 2\n"));
    }
}
