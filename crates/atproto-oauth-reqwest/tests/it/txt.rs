//! TXT lookups: the scenarios of the conformance suite.

use crate::adapter::{Tested, builder};

atproto_sansio_conformance::lookup_tests!(|server| Tested(builder().nameserver(server).build()));
