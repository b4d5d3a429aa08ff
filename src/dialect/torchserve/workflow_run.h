#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/percent_text.h"
#include "catalog/workflow_control.h"
#include "dialect/torchserve/form_fields.h"
#include "runtime/offload.h"
#include "runtime/trace_context.h"
#include "serve/inference.h"
#include "wire/loop.h"

namespace modelmill::torchserve {

/// One request to a workflow, as requests to its nodes: each is asked when all are answered whose answers it gets, and
/// nodes run side by side. A node of one predecessor gets its answer as a body, one of several a form with a field for
/// each, all of them as bytes. What fails or takes too long is asked again, as often as its node says. Lives until it
/// has told the outcome and no node has a request of it. Loop thread, unless it is said.
class WorkflowRun : public std::enable_shared_from_this<WorkflowRun> {
 public:
  /// What the start node gets.
  struct Input {
    Bytes body;
    std::string content_type;
    NamedTexts headers;  // which all nodes get
    TraceContext trace;
  };
  /// An answer of the workflow's.
  struct Answer {
    std::string node;
    Bytes body;
  };
  /// Called once, on the loop: the answers in the order of the nodes, or which node failed at last.
  using Done = std::function<void(Result<std::vector<Answer>>)>;
  struct Parts {
    Inference& inference;
    wire::Loop& loop;
    Offload* offload = nullptr;  // for large bodies; null: on the loop
    std::shared_ptr<const Workflow> workflow;
  };

  WorkflowRun(Parts parts, Input input, Done done);

  void start();
  /// Nobody waits for the outcome any more, and nobody is told.
  void abandon();

 private:
  class Attempt;
  struct NodeRun {
    size_t missing = 0;  // whose answers it gets and which have not come
    Fields inputs;
    int attempt = 0;  // the number of the last one; answers of others come too late
    bool runs = false;
    std::shared_ptr<CancelToken> cancel;  // of that attempt
    std::unique_ptr<wire::Loop::Timer> timer;
    Bytes answer;  // of one that nobody follows
  };

  void launch(size_t node);
  void ask(const std::shared_ptr<Attempt>& attempt);
  /// Any thread.
  void submit(const std::shared_ptr<Attempt>& attempt, VersionPin pin);
  void answered(size_t node, int attempt, Result<Bytes> body);
  void failed(size_t node, const Status& why);
  void take_answer(size_t node, Bytes body);
  void finish(const Status& status);
  /// Lets go of what runs.
  void stop(CancelToken::Reason reason);
  void cancel(size_t node, CancelToken::Reason reason);

  Inference& inference_;
  wire::Loop& loop_;
  Offload* const offload_;
  const std::shared_ptr<const Workflow> workflow_;
  const Input input_;
  Done done_;  // null once it is over
  std::vector<NodeRun> nodes_;
  size_t unanswered_;
};

}  // namespace modelmill::torchserve
