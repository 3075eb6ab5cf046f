//! What `wit/next` says, as Rust. Nothing of this leaves the crate: callers see [`crate::types`].

// One world holds everything, so that records which kinds share are generated once. A plugin is
// loaded against the interfaces that its kinds call for, never against this world.
wasmtime::component::bindgen!({
    path: "../../wit/next",
    inline: "
        package overture:host@0.1.0;
        world host {
            import overture:plugin/log@0.1.0;
            import overture:plugin/clock@0.1.0;
            import overture:plugin/random@0.1.0;
            import overture:plugin/store@0.1.0;
            import overture:plugin/http@0.1.0;
            import overture:plugin/mailbox@0.1.0;
            export overture:plugin/formatter@0.1.0;
            export overture:plugin/classifier@0.1.0;
            export overture:plugin/mail-provider@0.1.0;
            export overture:plugin/network-provider@0.1.0;
        }
    ",
    world: "overture:host/host@0.1.0",
    imports: {
        "overture:plugin/log": trappable,
        "overture:plugin/clock": trappable,
        "overture:plugin/random": trappable,
        default: async | trappable,
    },
    exports: { default: async },
    ownership: Borrowing { duplicate_if_necessary: true },
});
