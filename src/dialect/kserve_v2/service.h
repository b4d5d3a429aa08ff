#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model_control.h"
#include "dialect/graphs/graph_states.h"
#include "dialect/http_options.h"
#include "runtime/cuda_memory.h"
#include "serve/inference.h"
#include "wire/grpc.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

class SharedRegions;

/// The KServe V2 (Open Inference) protocol with Triton's extensions, over HTTP and gRPC. Made once by the composition
/// root; what it hands out keeps what it needs alive, except `inference`, which must outlive the wire. Thread-safe.
class Service {
 public:
  struct Options {
    std::string server_name = "modelmill";
    std::string server_version;
    /// Whether the server is ready for traffic (its start is over and it is not draining). Default: always.
    std::function<bool()> ready;
    HttpOptions http = {};
    /// Who loads and unloads models for clients; must outlive the wire. Null: nobody.
    ModelControl* control = nullptr;
    /// Whose settings clients may see and change; must outlive the wire. Null: there is no tracing.
    Tracer* tracer = nullptr;
    /// What the keys of shared memory objects that clients may register begin with, "/" for all; none: there is no
    /// shared memory for clients.
    std::vector<std::string> shared_memory_keys = {};
    /// What one request may have read there.
    uint64_t shared_memory_bytes = uint64_t{16} << 30;
    /// Inference graphs, which are listed beside the models; must outlive the wire. Null: there are none.
    const graphs::GraphStates* graphs = nullptr;
    /// The driver of the GPUs whose memory clients may register, where they may name every key.
    std::function<Result<std::shared_ptr<CudaDriver>>()> cuda = CudaDriver::of_machine;
    /// As the forwarding of `http`, of gRPC's metadata.
    std::shared_ptr<const HeaderForwarding> grpc_forwarding = nullptr;
  };

  Service(Inference& inference, Options options);
  ~Service();

  /// For HttpRouter::add("v2", ...).
  wire::HttpHandler http() const;

  /// The shared memory that clients have registered; lives as long as http() and this.
  std::shared_ptr<const SharedRegions> regions() const;

  /// Adds inference.GRPCInferenceService and describes it for reflection.
  void add_to(wire::GrpcMethods& methods) const;

  /// For wire::add_health_service(): "" and "inference.GRPCInferenceService" follow `ready`; others are unknown.
  int health(std::string_view service) const;

 private:
  struct Rep;
  std::shared_ptr<Rep> rep_;
};

}  // namespace modelmill::kserve_v2
