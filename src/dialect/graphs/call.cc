#include "dialect/graphs/call.h"

#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "base/json_text.h"
#include "base/percent_text.h"
#include "dialect/graphs/step_exchange.h"
#include "dialect/http_router.h"
#include "dialect/invocations/body_form.h"
#include "dialect/invocations/json_members.h"
#include "dialect/large_work.h"

namespace modelmill::graphs {
namespace {

/// V2's header of bodies with binary tensors: where they begin.
constexpr const char* kTensorsAfter = "inference-header-content-length";

/// What KServe's router says of a failure.
wire::HttpReply failure_reply(const Outcome& outcome) {
  JsonWriter json;
  json.begin_object().field("error", "Failed to process request").field("cause", outcome.cause).end_object();
  return json_reply(outcome.status, json.take());
}

wire::HttpReply reply_of(Outcome outcome) {
  if (outcome.failed()) return failure_reply(outcome);
  wire::HttpReply reply;
  reply.status = outcome.status;
  if (!outcome.content_type.empty()) reply.headers.emplace_back("Content-Type", std::move(outcome.content_type));
  std::move(outcome.headers.begin(), outcome.headers.end(), std::back_inserter(reply.headers));
  if (!outcome.body.empty()) reply.body.push_back(std::move(outcome.body));
  return reply;
}

/// Services speak one protocol each in KServe; here all speak both, and the body tells which is meant.
std::string path_for(const std::string& service, const Bytes& body) {
  constexpr std::array<std::string_view, 1> kInputs{"inputs"};
  const bool v2 = invocations::has_tensors(invocations::json_members(body.view(), kInputs));
  return v2 ? "/v2/models/" + percent_encode(service) + "/infer" : "/v1/models/" + percent_encode(service) + ":predict";
}

class GraphCall final : public Surroundings, public std::enable_shared_from_this<GraphCall> {
 public:
  GraphCall(std::shared_ptr<wire::HttpExchange> exchange, ServedGraphPtr graph, std::shared_ptr<const Context> context)
      : exchange_(std::move(exchange)), graph_(std::move(graph)), context_(std::move(context)), start_(Clock::now()) {}

  void start() {
    exchange_->on_abandoned([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->stop();
    });
    if (const Duration timeout = graph_->graph().timeout; timeout.count() > 0)
      timer_ = exchange_->loop().run_at(start_ + timeout, [weak = weak_from_this()] {
        if (const auto self = weak.lock())
          self->reply(error_reply(deadline_exceeded("graph '" + self->graph_->graph().name +
                                                    "' has not answered within the timeout of its spec")));
      });
    if (auto body = decode_on_loop(exchange_->request(), context_->http)) return run(*std::move(body));
    const auto decoded = std::make_shared<Result<Bytes>>(Bytes());
    work(
        SIZE_MAX,
        [self = shared_from_this(), decoded] {
          const wire::HttpRequest& request = self->exchange_->request();
          *decoded = decode_body(request.body, request.header("content-encoding"), self->context_->http.inflate);
        },
        [self = shared_from_this(), decoded] { self->run(std::move(*decoded)); });
  }

  RunningPtr ask(const GraphStep& step, Bytes body, Done done) override {
    wire::HttpRequest request = step_request(step);
    // Tensors behind the JSON of what a client sent are the step's too, where it gets just that.
    if (const std::string_view length = exchange_->request().header(kTensorsAfter);
        !length.empty() && body.data() == input_.data() && body.size() == input_.size())
      request.headers.emplace_back(kTensorsAfter, length);
    request.body = std::move(body);
    wire::Loop& loop = exchange_->loop();
    auto asked = std::make_shared<StepExchange>(loop, std::move(request), std::move(done));
    if (const Duration timeout = graph_->graph().step_timeout; timeout.count() > 0)
      asked->fail_at(Clock::now() + timeout,
                     "'" + step.target + "' has not answered within serviceClient of the graph");
    if (step.graph) {
      ask_graph(step.services.front(), asked);
      return asked;
    }
    if (!step.path.empty()) {
      context_->services(asked);
      return asked;
    }
    work(
        asked->request().body.size(),
        [asked, service = step.services.front()] { asked->request().path = path_for(service, asked->request().body); },
        [asked, context = context_] {
          if (!asked->over()) context->services(asked);
        });
    return asked;
  }

  void work(size_t bytes, std::function<void()> work, std::function<void()> then) override {
    Offload* const offload = context_->http.offload;
    if (bytes <= kLoopBytes || offload == nullptr) {
      work();
      return then();
    }
    const Status status =
        run_large(*offload, [self = shared_from_this(), work = std::move(work), then = std::move(then)]() mutable {
          wire::Loop& loop = self->exchange_->loop();
          Status done = within_memory([&work] {
            work();
            return ok_status();
          });
          // Whatever is held goes where it came from.
          loop.post([self = std::move(self), work = std::move(work), then = std::move(then), done = std::move(done)] {
            if (self->over_) return;
            if (!done.ok()) return self->reply(error_reply(done));
            then();
          });
        });
    if (!status.ok()) reply(error_reply(status));
  }

  int draw() override { return context_->draw(); }
  void count(size_t node) override { graph_->count_node(node); }

 private:
  /// Graphs lead to each other only so deep.
  void ask_graph(const std::string& name, const std::shared_ptr<StepExchange>& asked) const {
    ServedGraphPtr graph = context_->graphs == nullptr ? nullptr : context_->graphs->find(name);
    if (graph) return handle_graph(asked, std::move(graph), context_);
    asked->reply(error_reply(unavailable("graph '" + graph_->graph().name + "' leads to graph '" + name +
                                         "', which is not served any more; GET /graphs lists those that are")));
  }

  void run(Result<Bytes> body) {
    if (over_) return;
    if (!body.ok()) return reply(error_reply(body.status()));
    input_ = *std::move(body);
    for (const auto& [name, value] : exchange_->request().headers)
      if (context_->propagated.match(name)) propagated_.emplace_back(name, value);
    const std::shared_ptr<const InferenceGraph> graph(graph_, &graph_->graph());
    RunningPtr running = run_node(graph, graph->root, input_, shared_from_this(),
                                  [self = shared_from_this()](Outcome outcome) { self->answer(std::move(outcome)); });
    if (over_)
      running->cancel();
    else
      running_ = std::move(running);
  }

  wire::HttpRequest step_request(const GraphStep& step) const {
    const wire::HttpRequest& client = exchange_->request();
    wire::HttpRequest out;
    out.method = "POST";
    out.path = step.path;
    out.peer = client.peer;
    out.http2 = client.http2;
    out.tls = client.tls;
    out.serves = client.serves;
    out.trace = client.trace;
    out.headers = propagated_;
    if (out.header("content-type").empty()) out.headers.emplace_back("content-type", "application/json");
    return out;
  }

  void answer(Outcome outcome) {
    const std::string encoding(choose_encoding(exchange_->request().header("accept-encoding")));
    const size_t bytes = encoding.empty() ? 0 : outcome.body.size();
    const auto ready = std::make_shared<wire::HttpReply>(reply_of(std::move(outcome)));
    work(
        bytes, [ready, encoding] { compress_reply(*ready, encoding); },
        [self = shared_from_this(), ready] { self->reply(std::move(*ready)); });
  }

  void reply(wire::HttpReply reply) {
    if (over_) return;
    const bool success = reply.status >= 200 && reply.status <= 299;
    graph_->count_answer(success, static_cast<double>(to_ns(Clock::now() - start_)) / 1000);
    stop();
    exchange_->reply(std::move(reply));
  }

  /// Once; what is under way has no one to answer to.
  void stop() {
    if (std::exchange(over_, true)) return;
    timer_.reset();
    if (const RunningPtr running = std::exchange(running_, nullptr)) running->cancel();
  }

  const std::shared_ptr<wire::HttpExchange> exchange_;
  const ServedGraphPtr graph_;
  const std::shared_ptr<const Context> context_;
  const TimePoint start_;
  bool over_ = false;
  Bytes input_;
  std::vector<std::pair<std::string, std::string>> propagated_;  // headers that steps get too
  RunningPtr running_;
  std::unique_ptr<wire::Loop::Timer> timer_;
};

}  // namespace

void handle_graph(std::shared_ptr<wire::HttpExchange> exchange, ServedGraphPtr graph,
                  std::shared_ptr<const Context> context) {
  std::make_shared<GraphCall>(std::move(exchange), std::move(graph), std::move(context))->start();
}

}  // namespace modelmill::graphs
