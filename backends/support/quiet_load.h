#pragma once

#include <functional>

namespace modelmill::backend {

/// Runs `load` on a thread of its own, of lower priority (nice 10), and waits for it; what it throws is thrown here. So
/// a load leaves the processors to what is being served, and takes what is left; on an idle machine it is as fast.
/// For what makes no threads: they would inherit the priority, which nothing without privileges can raise again.
void load_quietly(const std::function<void()>& load);

}  // namespace modelmill::backend
