#include <cstring>
#include <thread>

#include "base/testing/shared_memory.h"
#include "dialect/kserve_v2/testing/shared_memory_rig.h"

namespace modelmill::kserve_v2 {
namespace {

using testing::ClientMemory;
using testing::FakeCall;
using ::testing::HasSubstr;
using testing::http_request;
using testing::joined;
using testing::simple_description;

constexpr char kFirst[] = R"("shared_memory_region":"r","shared_memory_byte_size":16)";
constexpr char kSecond[] = R"("shared_memory_region":"r","shared_memory_byte_size":16,"shared_memory_offset":16)";

TEST_F(SharedMemory, InAndOutOverHttp) {
  ClientMemory memory(4096 + 32);
  std::memcpy(memory.data() + 4096, kRow.data(), sizeof kRow);
  EXPECT_EQ(add("r", memory.key(), 32, 4096).status, 200);
  EXPECT_EQ(http("GET", "/v2/systemsharedmemory/status").text,
            R"([{"name":"r","key":")" + memory.key() + R"(","offset":4096,"byte_size":32}])");
  EXPECT_EQ(http("GET", "/v2/systemsharedmemory/region/r/status").text,
            http("GET", "/v2/systemsharedmemory/status").text);
  const Answer in = infer(kFirst);
  EXPECT_THAT(in.text, HasSubstr("\"data\":[1.0,2.5,-3.0,400.0]"));
  const Answer both = infer(kFirst, kSecond);
  EXPECT_EQ(both.text,
            R"({"model_name":"m","model_version":"1","outputs":[{"name":"y","datatype":"FP32","shape":[1,4]}]})");
  EXPECT_EQ(memory.view(4096 + 16, 16), kRowBytes);
  EXPECT_EQ(remove("r").status, 200);
  EXPECT_EQ(http("GET", "/v2/systemsharedmemory/status").text, "[]");
  EXPECT_EQ(infer(kFirst).status, 404);
}

TEST_F(SharedMemory, LargeTensorsAreReadOffTheLoop) {
  constexpr size_t kRows = 8;
  ClientMemory memory(2 * kRows * 40'000);
  auto wide = simple_description("m", 2);
  wide.signature.inputs[0].shape = wide.signature.outputs[0].shape = {-1, 10'000};
  std::thread::id read_on;
  catalog_.add(wide, [&](InferRequestPtr request) {
    read_on = std::this_thread::get_id();
    testing::echo(wide, std::move(request));
  });
  for (size_t i = 0; i < kRows * 40'000; ++i) memory.data()[i] = static_cast<char>(i % 101);
  ASSERT_EQ(add("r", memory.key(), 640'000).status, 200);
  const std::string size = R"("shared_memory_region":"r","shared_memory_byte_size":320000)";
  const std::string body = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[8,10000],"parameters":{)" + size +
                           R"(}}],"outputs":[{"name":"y","parameters":{)" + size +
                           R"(,"shared_memory_offset":320000}}]})";
  EXPECT_EQ(http("POST", "/v2/models/m/infer", body).status, 200);
  EXPECT_EQ(memory.view(0, 320'000), memory.view(320'000, 320'000));
  std::thread::id loop;
  thread_.run([&] { loop = std::this_thread::get_id(); });
  EXPECT_NE(read_on, loop);
}

TEST_F(SharedMemory, Refusals) {
  ClientMemory memory(64);
  EXPECT_THAT(add("r", "/modelmill_test_nobody", 16).text,
              HasSubstr("Unable to open shared memory region: '/modelmill_test_nobody'"));
  EXPECT_EQ(add("r", "/modelmill_test_nobody", 16).status, 500);
  EXPECT_EQ(add("r", "/other", 16).status, 403);
  for (const char* key : {"", "///", "..", "/../etc/passwd", "modelmill_test_/x"})
    EXPECT_THAT(add("r", key, 16).text, HasSubstr("cannot register shared memory region 'r' - invalid shm key '"));
  for (const auto& [size, offset] : {std::pair{65, 0}, {16, 49}, {1, 64}, {0, 0}})
    EXPECT_THAT(add("r", memory.key(), size, offset).text,
                HasSubstr("failed to register shared memory region 'r': invalid args"));
  EXPECT_THAT(add("r", memory.key(), UINT64_MAX, 1).text, HasSubstr("invalid args"));
  EXPECT_EQ(add("r", memory.key(), 64).status, 200);
  const Answer again = add("r", memory.key(), 64);
  EXPECT_EQ(again.status, 400);  // as Triton has it
  EXPECT_THAT(again.text, HasSubstr("shared memory region 'r' already in manager"));
  const std::string path = "/v2/systemsharedmemory/region/q/register";
  EXPECT_THAT(http("POST", path, "{}").text, HasSubstr("Shared memory register request has no 'key' field"));
  EXPECT_THAT(http("POST", path).text, HasSubstr("has no 'key' field"));
  EXPECT_THAT(http("POST", path, R"({"key":"/x"})").text, HasSubstr("has no 'byte_size' field"));
  EXPECT_THAT(http("POST", path, R"({"key":1,"byte_size":1})").text, HasSubstr("'key' is the name"));
  EXPECT_THAT(http("POST", path, R"({"key":"/x","byte_size":-1})").text, HasSubstr("not negative"));
  EXPECT_EQ(http("POST", path, "{").status, 400);
  EXPECT_THAT(http("POST", "/v2/systemsharedmemory/register", R"({"key":"/x","byte_size":1})").text,
              HasSubstr("'region name' is necessary"));
  EXPECT_EQ(http("GET", path).status, 405);
  EXPECT_EQ(http("POST", "/v2/systemsharedmemory/status").status, 405);
  EXPECT_EQ(http("GET", "/v2/systemsharedmemory/region/r/other").status, 404);
  const Answer unknown = http("GET", "/v2/systemsharedmemory/region/q/status");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.text, HasSubstr("Unable to find system shared memory region: 'q'"));
  EXPECT_EQ(remove("q").status, 200);
  EXPECT_EQ(http("POST", "/v2/systemsharedmemory/unregister").status, 200);
  EXPECT_EQ(http("GET", "/v2/systemsharedmemory/status").text, "[]");
}

TEST_F(SharedMemory, WrongUse) {
  ClientMemory memory(32);
  ASSERT_EQ(add("r", memory.key(), 32).status, 200);
  const auto region = [](const std::string& rest) { return R"("shared_memory_region":"r")" + rest; };
  EXPECT_EQ(infer(R"("shared_memory_region":"q","shared_memory_byte_size":16)").status, 404);
  EXPECT_THAT(infer(R"("shared_memory_region":7,"shared_memory_byte_size":16)").text,
              HasSubstr("expected string_param"));
  EXPECT_THAT(infer(region("")).text, HasSubstr("'shared_memory_byte_size' must be specified along with"));
  EXPECT_THAT(infer(region(R"(,"shared_memory_byte_size":16,"shared_memory_offset":32)")).text,
              HasSubstr("Invalid offset for shared memory region: 'r'"));
  EXPECT_THAT(infer(region(R"(,"shared_memory_byte_size":16,"shared_memory_offset":17)")).text,
              HasSubstr("Invalid offset + byte size for shared memory region: 'r'"));
  EXPECT_THAT(infer(region(R"(,"shared_memory_byte_size":18446744073709551615,"shared_memory_offset":1)")).text,
              HasSubstr("Invalid offset + byte size for shared memory region: 'r'"));
  EXPECT_THAT(infer(region(R"(,"shared_memory_byte_size":-1)")).text, HasSubstr("not negative"));
  EXPECT_EQ(infer(region(R"(,"shared_memory_byte_size":12)")).status, 400);  // not what the shape calls for
  EXPECT_THAT(infer(region(R"(,"shared_memory_byte_size":16,"binary_data_size":16)")).text,
              HasSubstr("But set 'binary_data_size' 'shared_memory_region'"));
  EXPECT_THAT(infer(kFirst, std::string(kSecond) + R"(,"classification":1)").text,
              HasSubstr("Output can't set both 'shared_memory_region' and 'classification'"));
  EXPECT_THAT(infer(kFirst, std::string(kSecond) + R"(,"binary_data":true)").text,
              HasSubstr("Output can't set both 'shared_memory_region' and 'binary_data'"));
  EXPECT_EQ(infer(kFirst, std::string(kSecond) + R"(,"binary_data":false)").status, 200);
  const Answer small = infer(kFirst, R"("shared_memory_region":"r","shared_memory_byte_size":15)");
  EXPECT_EQ(small.status, 500);
  EXPECT_THAT(small.text, HasSubstr("shared memory size specified with the request for output 'y' (15 bytes) should be "
                                    "at least 16 bytes to hold the results"));
}

TEST_F(SharedMemory, AShrunkObjectIsAnErrorAndNoMore) {
  ClientMemory memory(8192);
  ASSERT_EQ(add("r", memory.key(), 8192).status, 200);
  ASSERT_TRUE(memory.resize(16));
  EXPECT_EQ(infer(kFirst).status, 200);
  const Answer in = infer(kSecond);
  EXPECT_EQ(in.status, 400);
  EXPECT_THAT(in.text, HasSubstr("has become smaller"));
  EXPECT_EQ(infer(kFirst, kSecond).status, 400);
  EXPECT_EQ(memory.file_size(), 16u);
}

TEST_F(SharedMemory, ARequestReadsNoMoreThanItMay) {
  ClientMemory memory(32);
  ASSERT_TRUE(memory.resize(size_t{1} << 40));  // costs its maker nothing
  ASSERT_EQ(add("r", memory.key(), size_t{1} << 40).status, 200);
  const Answer answer = infer(R"("shared_memory_region":"r","shared_memory_byte_size":10000001)");
  EXPECT_EQ(answer.status, 429);
  EXPECT_THAT(answer.text, HasSubstr("--max-body-bytes"));
}

TEST_F(SharedMemory, ARegionStaysWhileRequestsUseIt) {
  ClientMemory memory(32);
  InferRequestPtr waiting;
  const auto d = simple_description("m", 2);
  catalog_.add(d, [&](InferRequestPtr request) { waiting = std::move(request); });
  std::memcpy(memory.data(), kRow.data(), sizeof kRow);
  ASSERT_EQ(add("r", memory.key(), 32).status, 200);
  const std::string body = R"({"inputs":[{"name":"x","datatype":"FP32","shape":[1,4],"parameters":{)" +
                           std::string(kFirst) + R"(}}],"outputs":[{"name":"y","parameters":{)" + kSecond + "}}]}";
  const auto exchange =
      std::make_shared<testing::FakeExchange>(thread_.loop(), http_request("POST", "/v2/models/m/infer", body));
  thread_.run([&] { router_.handler()(exchange); });
  EXPECT_EQ(remove("r").status, 200);
  EXPECT_EQ(infer(kFirst).status, 404);
  std::memset(memory.data(), 0, 16);  // too late: the request has its own
  thread_.run([&] { testing::echo(d, std::move(waiting)); });
  EXPECT_EQ(exchange->wait().status, 200);
  EXPECT_EQ(memory.view(16, 16), kRowBytes);
}

void share(google::protobuf::Map<std::string, inference::InferParameter>& parameters, const std::string& region,
           int64_t size, int64_t offset = 0) {
  parameters["shared_memory_region"].set_string_param(region);
  parameters["shared_memory_byte_size"].set_int64_param(size);
  if (offset != 0) parameters["shared_memory_offset"].set_int64_param(offset);
}

inference::ModelInferRequest grpc_request() {
  inference::ModelInferRequest request;
  request.set_model_name("m");
  auto& input = *request.add_inputs();
  input.set_name("x");
  input.set_datatype("FP32");
  input.add_shape(1);
  input.add_shape(4);
  return request;
}

TEST_F(SharedMemory, InAndOutOverGrpc) {
  ClientMemory memory(64);
  std::memcpy(memory.data() + 8, kRow.data(), sizeof kRow);
  inference::SystemSharedMemoryRegisterRequest wanted;
  wanted.set_name("r");
  wanted.set_key(memory.key());
  wanted.set_offset(8);
  wanted.set_byte_size(32);
  inference::SystemSharedMemoryRegisterResponse registered;
  EXPECT_TRUE(ask("SystemSharedMemoryRegister", wanted, registered).ok());
  EXPECT_EQ(ask("SystemSharedMemoryRegister", wanted, registered).code(), Code::kAlreadyExists);
  inference::SystemSharedMemoryStatusResponse status;
  EXPECT_TRUE(ask("SystemSharedMemoryStatus", inference::SystemSharedMemoryStatusRequest(), status).ok());
  EXPECT_EQ(status.regions().at("r").key(), memory.key());
  EXPECT_EQ(status.regions().at("r").offset(), 8u);
  EXPECT_EQ(status.regions().at("r").byte_size(), 32u);
  auto request = grpc_request();
  share(*request.mutable_inputs(0)->mutable_parameters(), "r", 16);
  auto& output = *request.add_outputs();
  output.set_name("y");
  share(*output.mutable_parameters(), "r", 16, 16);
  inference::ModelInferResponse response;
  for (const char* method : {"ModelInfer", "ModelStreamInfer"}) {
    std::memset(memory.data() + 24, 0, 16);
    inference::ModelStreamInferResponse streamed;
    const bool stream = std::string_view(method) == "ModelStreamInfer";
    EXPECT_TRUE((stream ? ask(method, request, streamed) : ask(method, request, response)).ok());
    if (stream) response = streamed.infer_response();
    EXPECT_EQ(response.raw_output_contents(0), "");
    EXPECT_EQ(response.outputs(0).shape_size(), 2);
    EXPECT_EQ(memory.view(24, 16), kRowBytes);
    response.Clear();
  }
  request.mutable_inputs(0)->mutable_contents()->add_fp32_contents(1);
  EXPECT_THAT(ask("ModelInfer", request, response).message(),
              HasSubstr("unexpected 'content' provided when using shared memory for input tensor 'x'"));
  inference::SystemSharedMemoryUnregisterRequest gone;
  gone.set_name("r");
  inference::SystemSharedMemoryUnregisterResponse unregistered;
  EXPECT_TRUE(ask("SystemSharedMemoryUnregister", gone, unregistered).ok());
  request.mutable_inputs(0)->clear_contents();
  EXPECT_EQ(ask("ModelInfer", request, response).code(), Code::kNotFound);
}

TEST_F(SharedMemory, WrongUseOverGrpc) {
  ClientMemory memory(64);
  ASSERT_EQ(add("r", memory.key(), 64).status, 200);
  const auto refusal = [&](auto change) {
    auto request = grpc_request();
    change(*request.mutable_inputs(0)->mutable_parameters());
    inference::ModelInferResponse response;
    const Status status = ask("ModelInfer", request, response);
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  };
  EXPECT_THAT(refusal([](auto& p) { p["shared_memory_offset"].set_int64_param(1); }),
              HasSubstr("'shared_memory_offset' can not be specified without 'shared_memory_region'"));
  EXPECT_THAT(refusal([](auto& p) { p["shared_memory_byte_size"].set_int64_param(1); }),
              HasSubstr("'shared_memory_byte_size' can not be specified without 'shared_memory_region'"));
  EXPECT_THAT(refusal([](auto& p) { p["shared_memory_region"].set_string_param("r"); }),
              HasSubstr("'shared_memory_byte_size' must be specified along with 'shared_memory_region'"));
  EXPECT_THAT(refusal([](auto& p) { p["shared_memory_region"].set_int64_param(1); }),
              HasSubstr("invalid value type for 'shared_memory_region' parameter for tensor 'x', expected string"));
  EXPECT_THAT(refusal([](auto& p) { share(p, "r", 16, -1); }), HasSubstr("'shared_memory_offset'"));
  EXPECT_THAT(refusal([](auto& p) { share(p, "r", 16, 64); }), HasSubstr("Invalid offset for shared memory region"));
  auto request = grpc_request();
  share(*request.mutable_inputs(0)->mutable_parameters(), "r", 16);
  request.add_raw_input_contents(kRowBytes);
  inference::ModelInferResponse response;
  EXPECT_THAT(ask("ModelInfer", request, response).message(), HasSubstr("unexpected additional input data"));
  request.clear_raw_input_contents();
  auto& output = *request.add_outputs();
  output.set_name("y");
  share(*output.mutable_parameters(), "r", 16);
  (*output.mutable_parameters())["classification"].set_int64_param(1);
  EXPECT_THAT(ask("ModelInfer", request, response).message(),
              HasSubstr("output can't set both 'shared_memory_region' and 'classification'"));
}

TEST_F(SharedMemory, CudaAsWithoutGpus) {
  EXPECT_EQ(http("GET", "/v2/cudasharedmemory/status").text, "[]");
  EXPECT_EQ(http("GET", "/v2/cudasharedmemory/region/r/status").status, 404);
  const Answer refused = http("POST", "/v2/cudasharedmemory/region/r/register", "{}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.text, HasSubstr("failed to register CUDA shared memory region: 'r', GPUs not supported"));
  EXPECT_EQ(http("POST", "/v2/cudasharedmemory/unregister").status, 200);
  inference::CudaSharedMemoryRegisterRequest wanted;
  wanted.set_name("r");
  inference::CudaSharedMemoryRegisterResponse response;
  EXPECT_THAT(ask("CudaSharedMemoryRegister", wanted, response).message(), HasSubstr("GPUs not supported"));
}

class NoSharedMemory : public SharedMemory {
 protected:
  NoSharedMemory() : SharedMemory({}) {}
};

TEST_F(NoSharedMemory, SaysSo) {
  ClientMemory memory(32);
  for (const char* kind : {"system", "cuda"}) {
    const std::string root = std::string("/v2/") + kind + "sharedmemory";
    EXPECT_EQ(http("GET", root + "/status").text, "[]");
    for (const char* path : {"/region/r/register", "/region/r/unregister", "/unregister"}) {
      EXPECT_EQ(http("POST", root + path, "{}").status, 501) << root << path;
      EXPECT_THAT(http("POST", root + path, "{}").text, HasSubstr("--allow-client-shm"));
    }
  }
  EXPECT_THAT(infer(kFirst).text, HasSubstr("Unable to find shared memory region: 'r'"));
  EXPECT_THAT(http("GET", "/v2").text, Not(HasSubstr("shared_memory")));
}

TEST_F(SharedMemory, IsAnnounced) {
  EXPECT_THAT(http("GET", "/v2").text, HasSubstr("\"system_shared_memory\""));
  EXPECT_THAT(http("GET", "/v2").text, Not(HasSubstr("cuda")));
}

}  // namespace
}  // namespace modelmill::kserve_v2
