#pragma once

#include <string_view>

#include "catalog/catalog.h"
#include "catalog/demand.h"
#include "request/infer_request.h"
#include "route/routes.h"
#include "serve/routed_request.h"
#include "serve/shadow_traffic.h"
#include "serve/trace/tracer.h"

namespace modelmill {

/// The parameter of a request that names one of the model's signatures.
inline constexpr std::string_view kSignatureParameter = "signature_name";

/// The path of every inference request, from a parsed InferRequest to its version's scheduler. Thread-safe; holds no
/// state of its own but the times of attempts that may take only so long, and what is on its way to routes' shadows.
class Inference {
 public:
  /// Requests for models that load on demand wait in `demand`; null: they are refused. `routes`: the names that lead to
  /// models; null: there are none. `tracer`: who is shown each request; null: nobody. `shadows`: what copies of
  /// requests may hold together.
  explicit Inference(Catalog& catalog, Demand* demand = nullptr, const Routes* routes = nullptr,
                     Tracer* tracer = nullptr, ShadowLimits shadows = {})
      : catalog_(catalog), demand_(demand), routes_(routes), tracer_(tracer), shadows_(*this, shadows) {}

  const Catalog& catalog() const { return catalog_; }
  /// Null when that is no route's name.
  std::shared_ptr<const Route> find_route(std::string_view name) const {
    return routes_ == nullptr ? nullptr : routes_->find(name);
  }

  /// The way of a request that names `model` and no version of it; null when that is no route's name. Its target is
  /// then asked in the place of what was named, and the way is handed to submit().
  RoutedRequestPtr route(std::string_view model, const RequestFacts& facts = {});

  /// Pins the version (of a model that loads on demand: when it has), finds the entry point that the request names,
  /// checks the inputs against its signature, and hands the request over. Always completes the request, with an error
  /// when it cannot be served. `decoupled_refusal`: a dialect that can give one answer only says here what a model with
  /// any number of answers is refused with (UNIMPLEMENTED); null: it takes any number. `routed`: the request goes where
  /// that leads, whatever it names.
  void submit(InferRequestPtr request, const char* decoupled_refusal = nullptr, RoutedRequestPtr routed = nullptr);
  /// The same to a version that is pinned already; along a route, that of its target.
  void submit(VersionPin pin, InferRequestPtr request, const char* decoupled_refusal = nullptr,
              RoutedRequestPtr routed = nullptr);

  /// One in the background (request/background.h): it loads no model, and gets one answer.
  void submit_background(InferRequestPtr request);
  /// No request is copied to a shadow from now on.
  void stop_shadows() { shadows_.stop(); }

  /// The model is known and not loaded, and loads when somebody waits for it.
  bool loads_on_demand(std::string_view model) const {
    return demand_ != nullptr && demand_->in_use() && catalog_.loads_on_demand(model);
  }
  /// For those who need the version before they can make a request: see Demand::wait().
  void wait_for_model(Demand::Waiter waiter) { demand_->wait(std::move(waiter), Clock::now()); }

  /// A request that was submitted for this model and version (0: the default) has been cancelled: if it still waits, it
  /// is answered now and its place is free. It is enough to set the request's CancelToken; this makes it prompt.
  void cancelled(const std::string& model, int64_t version);
  void cancelled(const RouteTarget& target);
  /// Of one that may have gone along a route (null: it did not).
  void cancelled(const RoutedRequestPtr& routed, const std::string& model, int64_t version) {
    if (!routed) return cancelled(model, version);
    cancelled(routed->target().model, routed->version());
  }

 private:
  /// What the request is to be answered, and how.
  struct Task {
    InferRequestPtr request;
    const char* decoupled_refusal = nullptr;
    RoutedRequestPtr routed;

    void fail(const Status& status);
  };
  /// `may_wait`: for a model that loads on demand.
  void submit(Task task, bool may_wait);
  void wait(Task task);
  void hand_over(VersionPin pin, Task task);

  Catalog& catalog_;
  Demand* const demand_;
  const Routes* const routes_;
  Tracer* const tracer_;
  AttemptTimer timer_;  // of routes whose attempts may take only so long
  ShadowTraffic shadows_;
};

}  // namespace modelmill
