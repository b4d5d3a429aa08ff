#include "dialect/mlserver/route_book.h"

#include <utility>

#include "dialect/json_input.h"
#include "dialect/mlserver/route_call.h"

namespace modelmill::mlserver {
namespace {

/// Of an answer [{"method": "POST", "path": "/a/{b}"}, ...].
RouteBook::Routes read_routes(std::string_view text) {
  RouteBook::Routes out;
  const ThreadJsonParser parser;
  const std::string whole(text);
  const auto document = parse_json(*parser, whole, whole.size());
  simdjson::dom::array routes;
  if (!document.ok() || document->get_array().get(routes) != simdjson::SUCCESS) return out;
  for (const simdjson::dom::element route : routes) {
    std::string_view method, path;
    if (route.at_key("method").get(method) == simdjson::SUCCESS && route.at_key("path").get(path) == simdjson::SUCCESS)
      out.push_back({std::string(method), RoutePattern(path)});
  }
  return out;
}

}  // namespace

/// Counts what is still to be answered, and tells when nothing is.
struct RouteBook::Waiting {
  Mutex mutex;
  size_t left MM_GUARDED_BY(mutex) = 0;
  Status failure MM_GUARDED_BY(mutex);
  std::function<void(Status)> done;

  void answered(const Status& status) {
    Status all;
    {
      const MutexLock lock(mutex);
      if (!status.ok()) failure = status;
      if (--left > 0) return;
      all = failure;
    }
    done(all);
  }
};

/// What one version is asked, and the sink of its answer.
class RouteBook::Question final : public ResponseSink {
 public:
  Question(std::shared_ptr<RouteBook> book, Version version, std::shared_ptr<Waiting> waiting)
      : book_(std::move(book)), version_(std::move(version)), waiting_(std::move(waiting)) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response && response.status.ok()) answer_ = route_answer(response);
    if (!response.status.ok()) failure_ = response.status;
    if (!final) return;
    if (answer_) book_->put(version_, read_routes(answer_->view()));
    version_.reset();
    waiting_->answered(answer_ || !failure_.ok() ? failure_ : internal("the model's code did not say its paths"));
  }

 private:
  const std::shared_ptr<RouteBook> book_;
  Version version_;
  const std::shared_ptr<Waiting> waiting_;
  std::optional<Bytes> answer_;
  Status failure_;
};

std::vector<RouteBook::Version> RouteBook::versions() const {
  std::vector<Version> out;
  const auto table = inference_.catalog().table();
  for (const ModelEntry* entry : table->entries())
    if (const auto* served = entry->find(0); served != nullptr && (*served)->signature().open) out.push_back(*served);
  return out;
}

std::shared_ptr<const RouteBook::Routes> RouteBook::routes_of(const Version& version) const {
  const MutexLock lock(mutex_);
  const auto found = known_.find(version);
  return found == known_.end() ? nullptr : found->second;
}

void RouteBook::put(const Version& version, Routes routes) {
  const MutexLock lock(mutex_);
  std::erase_if(known_, [](const auto& known) { return known.first.expired(); });
  known_[version] = std::make_shared<const Routes>(std::move(routes));
}

void RouteBook::learn(const std::vector<Version>& versions, std::function<void(Status)> done) {
  std::vector<std::pair<Version, VersionPin>> unknown;
  for (const Version& version : versions) {
    if (routes_of(version)) continue;
    if (VersionPin pin(version); pin) unknown.emplace_back(version, std::move(pin));
  }
  if (unknown.empty()) return done(ok_status());
  const auto waiting = std::make_shared<Waiting>();
  {
    const MutexLock lock(waiting->mutex);
    waiting->left = unknown.size();
  }
  waiting->done = std::move(done);
  for (auto& [version, pin] : unknown) {
    auto request =
        std::make_unique<InferRequest>(std::make_shared<Question>(shared_from_this(), std::move(version), waiting));
    request->model = pin->name();
    request->version = pin->version();
    fill_route_request(R"({"route":{"list":true}})", Bytes(), *request);
    request->times.received = Clock::now();
    inference_.submit(std::move(pin), std::move(request), nullptr);
  }
}

}  // namespace modelmill::mlserver
