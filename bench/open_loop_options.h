#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "call_connection.h"

namespace bench {

struct OpenLoopOptions {
  uint16_t port = 0;
  CallTemplate call;
  int connections = 8;
  double rate = 0;  // arrivals each second
  std::chrono::duration<double> warm_up{0}, seconds{3}, drain{10};
  std::chrono::microseconds objective{0};  // 0: none
  uint64_t seed = 1;
  size_t max_outstanding = 10'000;
  bool real_time = false;
};

/// Reads the command line, and the body's file; exits with a message when something is wrong with it.
OpenLoopOptions parse_open_loop_options(int argc, char** argv);

}  // namespace bench
