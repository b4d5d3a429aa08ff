#pragma once

#include <array>

namespace modelmill {

/// Of histograms by Prometheus' client for Python where nobody chooses others, in seconds.
inline constexpr std::array<double, 14> kPythonBounds = {.005, .01, .025, .05, .075, .1,  .25,
                                                         .5,   .75, 1,    2.5, 5,    7.5, 10};

}  // namespace modelmill
