#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "model/graph/inference_graph.h"

namespace modelmill::graphs {

/// What a step, a node or a graph has come to: an answer of any status, or a failure to get one.
struct Outcome {
  int status = 200;
  std::string content_type;
  /// What else belongs to the answer.
  std::vector<std::pair<std::string, std::string>> headers = {};
  Bytes body = {};
  /// Why there is no answer; empty: there is one.
  std::string cause = {};

  bool failed() const { return !cause.empty(); }
  bool successful() const { return !failed() && status >= 200 && status <= 299; }
  static Outcome failure(int status, std::string cause);
  static Outcome json(int status, Bytes body);
};
using Done = std::function<void(Outcome)>;

/// Something under way, on the thread of one loop.
class Running {
 public:
  virtual ~Running() = default;
  /// Nobody is told what comes of it any more, and nothing more is begun.
  virtual void cancel() = 0;
};
using RunningPtr = std::shared_ptr<Running>;

/// What a run asks of the server around it. On the loop's thread, as all callbacks are.
class Surroundings {
 public:
  virtual ~Surroundings() = default;
  /// Asks the service of a step. `done` is called once, after this has returned, unless it is cancelled before.
  virtual RunningPtr ask(const GraphStep& step, Bytes body, Done done) = 0;
  /// Does `work` on `bytes` of JSON where it keeps nobody waiting, on any thread, and then calls `then`; it may have
  /// done both when it returns. Where it can't be done, it is the end of the whole run.
  virtual void work(size_t bytes, std::function<void()> work, std::function<void()> then) = 0;
  /// A random number from 0 to 99.
  virtual int draw() = 0;
  /// A request has come to the node of that number.
  virtual void count(size_t node) = 0;
};

/// Takes a request to a node of the graph, as KServe's router does; `done` is told what has come of it, once, unless it
/// is cancelled before.
RunningPtr run_node(const std::shared_ptr<const InferenceGraph>& graph, size_t node, Bytes input,
                    const std::shared_ptr<Surroundings>& around, Done done);

}  // namespace modelmill::graphs
