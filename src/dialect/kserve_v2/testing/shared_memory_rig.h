#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dialect/http_router.h"
#include "dialect/kserve_v2/grpc_control.h"
#include "dialect/kserve_v2/http_api_group.h"
#include "dialect/kserve_v2/service.h"
#include "dialect/testing/fakes.h"
#include "grpc_service.pb.h"
#include "runtime/offload.h"
#include "serve/testing/fake_version.h"

namespace modelmill::kserve_v2 {

inline constexpr std::array<float, 4> kRow = {1, 2.5, -3, 400};
inline const std::string kRowBytes(reinterpret_cast<const char*>(kRow.data()), sizeof kRow);

/// V2 with shared memory of clients, over HTTP and gRPC, on a catalog with the model `m`, which gives x back as y.
class SharedMemory : public ::testing::Test {
 protected:
  using FindCuda = std::function<Result<std::shared_ptr<CudaDriver>>()>;
  explicit SharedMemory(
      std::vector<std::string> keys = {"/modelmill_test_"},
      FindCuda cuda = []() -> Result<std::shared_ptr<CudaDriver>> { return unavailable("there is no GPU"); })
      : cuda_(std::move(cuda)), inference_(catalog_.catalog()), service_(inference_, options(std::move(keys))) {
    router_.add("v2", service_.http(), http_api_group);
    service_.add_to(methods_);
    catalog_.add(testing::simple_description("m"));
  }
  ~SharedMemory() override { offload_.stop(); }

  Service::Options options(std::vector<std::string> keys) {
    Service::Options options;
    options.http.offload = &offload_;
    options.shared_memory_keys = std::move(keys);
    options.shared_memory_bytes = 10'000'000;
    options.cuda = cuda_;
    return options;
  }

  struct Answer {
    int status;
    std::string text;
  };
  Answer http(std::string method, std::string path, std::string body = "") {
    const auto reply =
        testing::ask(thread_, router_.handler(), testing::http_request(std::move(method), std::move(path), body));
    return {reply.status, testing::joined(reply.body)};
  }
  Answer add(const std::string& name, const std::string& key, uint64_t size, uint64_t offset = 0) {
    return http("POST", "/v2/systemsharedmemory/region/" + name + "/register",
                R"({"key":")" + key + R"(","offset":)" + std::to_string(offset) + R"(,"byte_size":)" +
                    std::to_string(size) + "}");
  }
  Answer remove(const std::string& name) {
    return http("POST", "/v2/systemsharedmemory/region/" + name + "/unregister");
  }
  /// Asks with one input, x, of these parameters, and an output y of those (none: it isn't named).
  Answer infer(const std::string& input, const std::string& output = "", int rows = 1) {
    std::string body = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[)" + std::to_string(rows) +
                       R"(,4],"parameters":{)" + input + "}}]";
    if (!output.empty()) body += R"(,"outputs":[{"name":"y","parameters":{)" + output + "}}]";
    return http("POST", "/v2/models/m/infer", body + "}");
  }

  template <typename Response, typename Request>
  Status ask(const std::string& method, const Request& request, Response& response) {
    return testing::call_unary(thread_, methods_, method_path(method), request, response);
  }

  testing::LoopThread thread_;
  const FindCuda cuda_;
  testing::FakeCatalog catalog_;
  Offload offload_{1, 100};
  Inference inference_;
  Service service_;
  HttpRouter router_;
  wire::GrpcMethods methods_;
};

}  // namespace modelmill::kserve_v2
