#pragma once

namespace modelmill {

/// A random number in [0, 1), of the thread's own sequence: for choices that nobody may be able to rely on, and for
/// nothing secret.
double chance();

}  // namespace modelmill
