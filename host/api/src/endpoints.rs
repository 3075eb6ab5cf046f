//! What a resource answers to, named once.

use axum::routing::MethodFilter;
use utoipa::Path;
use utoipa_axum::PathItemExt;

/// The endpoints of a resource, those of one path on a line. Makes `routes()`, which serves them,
/// and `described()`, which tells of them too: the file of the description is made from that, and
/// the server hands out the file, so that what makes it needn't be in the program.
macro_rules! endpoints {
    ($($($module:ident::$handler:ident),+;)+) => {
        pub(crate) fn routes() -> axum::Router<overture_engine::Env> {
            utoipa_axum::paste! {
                axum::Router::new()$($(.route(
                    &$crate::endpoints::path::<$module::[<__path_ $handler>]>(),
                    axum::routing::on(
                        $crate::endpoints::method::<$module::[<__path_ $handler>]>(),
                        $module::$handler,
                    ),
                ))+)+
            }
        }

        pub(crate) fn described() -> utoipa_axum::router::OpenApiRouter<overture_engine::Env> {
            utoipa_axum::router::OpenApiRouter::new()
                $(.routes(utoipa_axum::routes!($($module::$handler),+)))+
        }
    };
}

/// The path of an endpoint under `/api/v1`.
pub(crate) fn path<E: Path>() -> String {
    E::path()
}

/// Its method.
///
/// # Panics
/// Never: an endpoint that is described has one.
pub(crate) fn method<E: Path>() -> MethodFilter {
    let methods = E::methods();
    let method = methods.first().expect("a described endpoint has a method");
    method.to_method_filter()
}
