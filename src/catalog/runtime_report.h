#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace modelmill {

/// One way to run a model: a runtime, and how the cores are shared out.
struct RuntimeLayout {
  std::string backend;
  int threads = 1;             // inside each instance
  int instances = 1;           // side by side
  std::string precision = {};  // lower than the model's own: "bf16"; empty: the model's own
  bool operator==(const RuntimeLayout&) const = default;
};

/// Whether they differ in how the cores are shared out alone.
bool same_runtime(const RuntimeLayout& a, const RuntimeLayout& b);

/// "openvino, 2 instances of 1 thread"; "openvino in bf16, 1 instance of 2 threads".
std::string layout_text(const RuntimeLayout& layout);

/// Executions of so many rows, on all instances of a layout at once.
struct RuntimeTiming {
  int64_t rows = 1;
  double rows_per_second = 0;  // of all instances together
  double milliseconds = 0;     // of one execution
};

/// What was found out of one layout.
struct RuntimeCandidate {
  RuntimeLayout layout;
  std::string runtime;                 // with its version, as its backend tells it
  std::vector<RuntimeTiming> timings;  // by rows, ascending; empty for one that is out
  /// The largest distance of an answer from the reference's, relative to the largest value of that output; infinite
  /// where one of them is not a number and the other is.
  double distance = 0;
  std::string excluded;   // why it can't be chosen; empty: it can
  std::string seen = {};  // what clients got of it when it was chosen, for people; empty: it was not, or not yet judged
};

/// Which runtimes can run a version, how they compare, and which of them does. A value.
struct RuntimeReport {
  std::vector<RuntimeCandidate> candidates;  // the first is the reference's own layout
  double tolerance = 0;                      // that distances are held to
  RuntimeLayout chosen;
  std::string reason;  // why that one, for people
};

}  // namespace modelmill
