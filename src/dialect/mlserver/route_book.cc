#include "dialect/mlserver/route_book.h"

#include <atomic>
#include <utility>

#include "dialect/json_input.h"
#include "dialect/mlserver/route_call.h"

namespace modelmill::mlserver {
namespace {

/// How long a question may be under way, with what is before it in the model's queue.
constexpr Duration kQuestion = std::chrono::seconds(10);

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
  explicit Waiting(std::function<void()> d) : done(std::move(d)) {}

  std::atomic<size_t> left = 1;  // with the one who asks
  const std::function<void()> done;

  void answered() {
    if (left.fetch_sub(1) == 1) done();
  }
};

/// The sink of what one version answers.
class RouteBook::Question final : public ResponseSink {
 public:
  Question(std::shared_ptr<RouteBook> book, WeakVersion version)
      : book_(std::move(book)), version_(std::move(version)) {}

  void on_response(InferResponse response, bool final, bool has_response) override {
    if (has_response && response.status.ok())
      if (const auto answer = route_answer(response)) routes_ = read_routes(answer->view());
    if (final) book_->answered(version_, std::move(routes_));
  }

 private:
  const std::shared_ptr<RouteBook> book_;
  const WeakVersion version_;
  std::optional<Routes> routes_;
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

VersionPin RouteBook::find(const std::string& method, const std::vector<std::string>& path,
                           std::string& methods) const {
  for (const Version& version : versions()) {
    const auto routes = routes_of(version);
    if (!routes) continue;
    for (const CustomRoute& route : *routes) {
      if (!route.path.matches(path)) continue;
      methods += (methods.empty() ? "" : ", ") + route.method;
      if (route.method != method) continue;
      if (VersionPin pin(version); pin) return pin;
    }
  }
  return {};
}

void RouteBook::learn(TimePoint now, std::function<void()> done) {
  const auto waiting = std::make_shared<Waiting>(std::move(done));
  std::vector<std::pair<VersionPin, WeakVersion>> unknown;
  for (const Version& version : versions()) {
    if (version->suspended()) continue;
    if (VersionPin pin = await(version, waiting, now); pin) unknown.emplace_back(std::move(pin), version);
  }
  for (auto& [pin, version] : unknown) ask(std::move(pin), std::move(version));
  waiting->answered();
}

VersionPin RouteBook::await(const Version& version, const std::shared_ptr<Waiting>& waiting, TimePoint now) {
  const MutexLock lock(mutex_);
  if (known_.contains(version)) return {};
  const auto found = asked_.find(version);
  if (found != asked_.end()) {
    if (now - found->second.since >= kPatience) return {};
    ++waiting->left;
    found->second.waiting.push_back(waiting);
    return {};
  }
  VersionPin pin(version);
  if (!pin) return {};
  ++waiting->left;
  asked_[version] = {now, {waiting}};
  return pin;
}

void RouteBook::ask(VersionPin pin, WeakVersion version) {
  auto request = std::make_unique<InferRequest>(std::make_shared<Question>(shared_from_this(), std::move(version)));
  request->model = pin->name();
  request->version = pin->version();
  fill_route_request(R"({"route":{"list":true}})", Bytes(), *request);
  request->times.received = Clock::now();
  request->deadline = request->times.received + kQuestion;
  inference_.submit(std::move(pin), std::move(request), nullptr);
}

void RouteBook::answered(const WeakVersion& version, std::optional<Routes> routes) {
  std::vector<std::shared_ptr<Waiting>> waiting;
  {
    const MutexLock lock(mutex_);
    if (auto asked = asked_.extract(version)) waiting = std::move(asked.mapped().waiting);
    std::erase_if(known_, [](const auto& known) { return known.first.expired(); });
    if (routes) known_[version] = std::make_shared<const Routes>(*std::move(routes));
  }
  for (const auto& one : waiting) one->answered();
}

}  // namespace modelmill::mlserver
