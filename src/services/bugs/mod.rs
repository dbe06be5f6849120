//! Planted bugs: the reference services with one mistake that a good engineer could have made.
//!
//! One small file each; whatever is not the mistake is the reference's own code. They are grouped by the
//! service that has them.
//!
//! Must not know: the simulation.

/// A service with a planted bug: handlers of its own, and the reference's for all others.
///
/// The macro writes the handlers that only hand a call on, which `#[object]` wants spelt out.
macro_rules! variant_of {
    (
        $(#[$attribute:meta])*
        struct $bug:ident($reference:ty) as $service:tt;
        own { $($own:tt)* }
        reference {
            $($name:tt $handler:ident($context:ident $(, $body:ident: $input:ty)?) -> [$($output:tt)*];)*
        }
    ) => {
        $(#[$attribute])*
        struct $bug($reference);

        #[object(name = $service, client_visibility = "pub(self)")]
        impl $bug {
            $($own)*

            $(
                #[handler(name = $name)]
                async fn $handler(
                    &self,
                    ctx: $context<'_>,
                    $($body: $input,)?
                ) -> HandlerResult<$($output)*> {
                    self.0.$handler(ctx $(, $body)?).await
                }
            )*
        }
    };
}

pub(super) mod email;
pub(super) mod inventory;
pub(super) mod order;
pub(super) mod payment;
pub(super) mod saga;
pub(super) mod subscription;
pub(super) mod webhook;
