//! Reads the windows of `outage`: when a system, or the handlers' process, is down.
//!
//! Must not know: how anything is taken down.

use super::{
    catalog::Catalog,
    diagnostic::Diagnostic,
    plan::Millis,
    reader::{MILLIS, Reader},
    syntax::Node,
    vocabulary,
};

/// When something is down: from a time after the start to a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The system; none for the handlers' process.
    pub(crate) system: Option<String>,
    pub(crate) during: Millis,
}

/// `"outage": [{ "system": "hotel", "from": "1s", "to": "3s" }]`.
pub(crate) fn read(reader: &mut Reader, nodes: &[Node], catalog: &Catalog) -> Vec<Window> {
    nodes.iter().filter_map(|node| window(reader, node, catalog)).collect()
}

fn window(reader: &mut Reader, node: &Node, catalog: &Catalog) -> Option<Window> {
    let fields = reader.object(node, vocabulary::WINDOW)?;
    let from = fields.get("from").and_then(|n| reader.whole(n, MILLIS));
    let to = fields.get("to").and_then(|n| reader.whole(n, MILLIS));
    let endpoint = fields.get("endpoint").and_then(|n| reader.boolean(n));
    let system = match (fields.get("system"), endpoint) {
        (Some(system), None | Some(false)) => {
            let name = reader.string(system, "the name of a system")?;
            catalog.system(reader, &name.value, name.span.clone())?;
            Some(name.value)
        }
        (None, Some(true)) => None,
        (Some(_), Some(true)) => {
            let place = fields.member("endpoint").map_or(node.head(), |m| m.name.span.clone());
            let problem = "an outage is of a system, or of the handlers' process";
            reader.report(Diagnostic::new(place, problem).help("make two outages of it"));
            return None;
        }
        (None, _) => {
            if !fields.misspells(&["system", "endpoint"]) {
                reader.report(
                    Diagnostic::new(node.head(), "what is down?")
                        .help("add \"system\": \"NAME\", or \"endpoint\": true for the handlers"),
                );
            }
            return None;
        }
    };
    let (from, to) = (from?, to?);
    if from >= to {
        let problem = "an outage ends after it begins";
        let place = fields.get("to").map_or(node.head(), Node::head);
        reader.report(Diagnostic::new(place, problem).help("write a later time"));
        return None;
    }
    Some(Window { system, during: Millis { from, to } })
}
