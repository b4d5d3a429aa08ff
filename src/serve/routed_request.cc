#include "serve/routed_request.h"

#include <random>

namespace modelmill {
namespace {

/// In [0, 1): for requests that nothing else decides.
double chance() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>()(random);
}

}  // namespace

RoutedRequest::RoutedRequest(std::shared_ptr<const Route> route, const RequestFacts& facts)
    : route_(std::move(route)), facts_(facts), chance_(chance()), arm_(route_->choose(facts_, chance_)) {}

bool RoutedRequest::choose_again(const Parameters& parameters) {
  if (!route_->reads_parameters() || parameters.empty()) return false;
  facts_.parameters = &parameters;
  const size_t chosen = route_->choose(facts_, chance_);
  facts_.parameters = nullptr;
  return arm_.exchange(chosen, std::memory_order_acq_rel) != chosen;
}

void RoutedRequest::submitted_to(const ModelVersion& version, InferRequest& request) {
  version_.store(version.version(), std::memory_order_release);
  request.model = target().model;
  request.version = version.version();
  request.label.clear();
  client_ = request.replace_sink(shared_from_this());
}

void RoutedRequest::on_response(InferResponse response, bool final, bool has_response) {
  if (!final) return client_->on_response(std::move(response), final, has_response);
  arm().stats->answered(response.status.ok());
  const auto client = std::move(client_);
  client->on_response(std::move(response), final, has_response);
}

std::vector<std::pair<std::string, std::string>> RoutedRequest::headers() const {
  std::vector<std::pair<std::string, std::string>> all{{"x-route-arm", arm().name}, {"x-served-model", target().model}};
  if (version() != 0) all.emplace_back("x-served-version", std::to_string(version()));
  return all;
}

void RoutedRequest::describe(Parameters& parameters) const {
  parameters.set("route_arm", arm().name);
  parameters.set("served_model", target().model);
  parameters.set("served_version", version());
}

}  // namespace modelmill
