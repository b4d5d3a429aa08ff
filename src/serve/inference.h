#pragma once

#include "catalog/catalog.h"
#include "request/infer_request.h"

namespace modelmill {

/// The path of every inference request, from a parsed InferRequest to its version's scheduler. Thread-safe; holds no
/// state but the catalog.
class Inference {
 public:
  explicit Inference(Catalog& catalog) : catalog_(catalog) {}

  const Catalog& catalog() const { return catalog_; }

  /// Pins the version, checks the inputs against its signature, and hands the request over. Always completes the
  /// request, with an error when it cannot be served. `decoupled_refusal`: a dialect that can give one answer only says
  /// here what a model with any number of answers is refused with (UNIMPLEMENTED); null: it takes any number.
  void submit(InferRequestPtr request, const char* decoupled_refusal = nullptr);

  /// A request that was submitted for this model and version (0: the default) has been cancelled: if it still waits, it
  /// is answered now and its place is free. It is enough to set the request's CancelToken; this makes it prompt.
  void cancelled(const std::string& model, int64_t version);

 private:
  Catalog& catalog_;
};

}  // namespace modelmill
