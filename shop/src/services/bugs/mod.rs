//! Planted bugs: the reference services with one mistake that a good engineer could have made.
//!
//! One file per service. Whatever is not the mistake is the reference's own code, or stands once in the
//! service's file.
//!
//! Must not know: the simulation.

/// Makes the macro `variant!` for the planted bugs of one service.
///
/// `#[object]` wants every handler of a service spelt out. So the service's handlers are listed here, once,
/// and a variant writes only those that it has in place of the reference's, in the order of this list and
/// without the types that stand in it: `async fn renew(&self, ctx) { ... }`. If it is a shared handler where
/// the reference's is not, it says so: `ctx: SharedObjectContext`. All other handlers hand the call on to the
/// reference, which is `self.0`. At its end, a variant may have handlers that the reference does not have.
///
/// The `$` at the beginning is for what `variant!` itself captures; a macro cannot write one otherwise.
macro_rules! variants_of {
    (
        $d:tt $service:tt: |$systems:pat_param| $new:expr => $reference:ty;
        $(
            $name:tt $handler:ident($context:ident $(, $body:ident: $input:ty)?)
                -> [$($output:tt)*];
        )*
    ) => {
        macro_rules! variant {
            (
                $d(#[$d attribute:meta])*
                $d variant:ident: $d bug:ident {
                    name: $d name:expr, class: $d class:expr, caught_by: $d caught_by:expr,
                    summary: $d summary:expr,
                }
                $d($d handlers:tt)*
            ) => {
                pub(in crate::services) const $d variant: Variant = Variant {
                    name: $d name,
                    summary: $d summary,
                    class: Some($d class),
                    caught_by: Some($d caught_by),
                    bind: |endpoint, $systems| endpoint.bind($d bug($new)),
                };

                $d(#[$d attribute])*
                struct $d bug($reference);

                variant! { @ $d bug [$($handler)*] [] $d($d handlers)* }
            };

            // Goes through the list. What is done so far stands in the second pair of brackets.
            $(
                // The next handler is the variant's, with the context of the list.
                (
                    @ $d bug:ident [$handler $d($d left:ident)*] [$d($d done:tt)*]
                    async fn $handler(&$d self:ident, $d($d ctx:ident)+ $d(, $d($d input:tt)+)?)
                    $d($d own:tt)*
                ) => {
                    variant! {
                        @ $d bug [$handler $d($d left)*] [$d($d done)*]
                        async fn $handler(&$d self, $d($d ctx)+: $context $d(, $d($d input)+)?)
                        $d($d own)*
                    }
                };
                // It is the variant's.
                (
                    @ $d bug:ident [$handler $d($d left:ident)*] [$d($d done:tt)*]
                    async fn $handler(
                        &$d self:ident, $d($d ctx:ident)+: $d kind:ident
                        $d(, $d($d input:tt)+)?
                    )
                    $d block:tt
                    $d($d own:tt)*
                ) => {
                    variant! {
                        @ $d bug [$d($d left)*]
                        [
                            $d($d done)*

                            #[handler(name = $name)]
                            async fn $handler(
                                &$d self,
                                $d($d ctx)+: $d kind<'_>,
                                $($d($d($d input)+: $input,)?)?
                            ) -> HandlerResult<$($output)*>
                            $d block
                        ]
                        $d($d own)*
                    }
                };
                // It is the reference's.
                (
                    @ $d bug:ident [$handler $d($d left:ident)*] [$d($d done:tt)*]
                    $d($d own:tt)*
                ) => {
                    variant! {
                        @ $d bug [$d($d left)*]
                        [
                            $d($d done)*

                            #[handler(name = $name)]
                            async fn $handler(
                                &self,
                                ctx: $context<'_>,
                                $($body: $input,)?
                            ) -> HandlerResult<$($output)*> {
                                self.0.$handler(ctx $(, $body)?).await
                            }
                        ]
                        $d($d own)*
                    }
                };
            )*
            // The list is at its end.
            (@ $d bug:ident [] [$d($d done:tt)*] $d($d own:tt)*) => {
                #[object(name = $service, client_visibility = "pub(self)")]
                impl $d bug {
                    $d($d done)*
                    $d($d own)*
                }
            };
        }
    };
}

pub(super) mod email_service;
pub(super) mod inventory_service;
pub(super) mod notification_service;
pub(super) mod order_orchestrator;
pub(super) mod order_service;
pub(super) mod payment_processor;
pub(super) mod payment_service;
pub(super) mod shipping_service;
pub(super) mod subscription_service;
pub(super) mod webhook_service;
