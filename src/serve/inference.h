#pragma once

#include "catalog/catalog.h"
#include "catalog/demand.h"
#include "request/infer_request.h"

namespace modelmill {

/// The path of every inference request, from a parsed InferRequest to its version's scheduler. Thread-safe; holds no
/// state of its own.
class Inference {
 public:
  /// Requests for models that load on demand wait in `demand`; null: they are refused.
  explicit Inference(Catalog& catalog, Demand* demand = nullptr) : catalog_(catalog), demand_(demand) {}

  const Catalog& catalog() const { return catalog_; }

  /// Pins the version (of a model that loads on demand: when it has), checks the inputs against its signature, and
  /// hands the request over. Always completes the request, with an error when it cannot be served. `decoupled_refusal`:
  /// a dialect that can give one answer only says here what a model with any number of answers is refused with
  /// (UNIMPLEMENTED); null: it takes any number.
  void submit(InferRequestPtr request, const char* decoupled_refusal = nullptr);
  /// The same to a version that is pinned already.
  void submit(VersionPin pin, InferRequestPtr request, const char* decoupled_refusal = nullptr);

  /// The model is known and not loaded, and loads when somebody waits for it.
  bool loads_on_demand(std::string_view model) const {
    return demand_ != nullptr && demand_->in_use() && catalog_.loads_on_demand(model);
  }
  /// For those who need the version before they can make a request: see Demand::wait().
  void wait_for_model(Demand::Waiter waiter) { demand_->wait(std::move(waiter), Clock::now()); }

  /// A request that was submitted for this model and version (0: the default) has been cancelled: if it still waits, it
  /// is answered now and its place is free. It is enough to set the request's CancelToken; this makes it prompt.
  void cancelled(const std::string& model, int64_t version);

 private:
  /// `may_wait`: for a model that loads on demand.
  void submit(InferRequestPtr request, const char* decoupled_refusal, bool may_wait);
  void wait(InferRequestPtr request, const char* decoupled_refusal);

  Catalog& catalog_;
  Demand* const demand_;
};

}  // namespace modelmill
