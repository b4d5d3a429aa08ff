#include <algorithm>
#include <array>
#include <cstring>

#include "base/testing/shared_memory.h"
#include "dialect/kserve_v2/testing/shared_memory_rig.h"
#include "runtime/testing/fake_cuda.h"
#include "wire/grpc_encoding.h"

namespace modelmill::kserve_v2 {
namespace {

using ::testing::AllOf;
using testing::ClientMemory;
using ::testing::HasSubstr;
using ::testing::Not;

/// With GPUs, and memory of a client's on one of them, of one row.
class GpuMemory : public SharedMemory {
 protected:
  explicit GpuMemory(std::vector<std::string> keys = {"/"})
      : SharedMemory(std::move(keys), [] { return CudaDriver::start(testing::FakeCuda::library()); }) {
    const auto handle = cuda_memory_.handle();
    raw_.assign(reinterpret_cast<const char*>(handle.data()), handle.size());
  }
  std::string register_body(const std::string& handle, int gpu = 1, int size = 16) {
    return R"({"raw_handle":{"b64":")" + wire::base64_encode(handle) + R"("},"device_id":)" + std::to_string(gpu) +
           R"(,"byte_size":)" + std::to_string(size) + "}";
  }
  Answer add_cuda(const std::string& name, const std::string& body) {
    return http("POST", "/v2/cudasharedmemory/region/" + name + "/register", body);
  }

  testing::FakeCuda cuda_memory_;
  std::string raw_;
};

TEST_F(GpuMemory, HasInputsAndOutputs) {
  ASSERT_EQ(add_cuda("r", register_body(raw_)).status, 200);
  std::memcpy(cuda_memory_.memory().data(), kRow.data(), sizeof kRow);
  EXPECT_THAT(infer(R"("shared_memory_region":"r","shared_memory_byte_size":16)").text,
              HasSubstr("[1.0,2.5,-3.0,400.0]"));
  ClientMemory memory(32);
  ASSERT_EQ(add("in", memory.key(), 32).status, 200);
  std::memcpy(memory.data(), kRowBytes.data(), kRowBytes.size());
  std::fill(cuda_memory_.memory().begin(), cuda_memory_.memory().end(), std::byte{0});
  const Answer told = infer(R"("shared_memory_region":"in","shared_memory_byte_size":16)",
                            R"("shared_memory_region":"r","shared_memory_byte_size":16)");
  EXPECT_EQ(told.status, 200) << told.text;
  std::array<float, kRow.size()> written{};
  std::memcpy(written.data(), cuda_memory_.memory().data(), sizeof written);
  EXPECT_EQ(written, kRow) << "written to the GPU";
  EXPECT_THAT(infer(R"("shared_memory_region":"r","shared_memory_byte_size":32)", "", 2).text,
              HasSubstr("Invalid offset + byte size for shared memory region: 'r'"));
  cuda_memory_.break_copies();
  EXPECT_EQ(infer(R"("shared_memory_region":"r","shared_memory_byte_size":16)").status, 500);
}

TEST_F(GpuMemory, RegionsAreListedByTheirKind) {
  ClientMemory memory(32);
  ASSERT_EQ(add("s", memory.key(), 32).status, 200);
  ASSERT_EQ(add_cuda("g", register_body(raw_)).status, 200);
  EXPECT_EQ(http("GET", "/v2/cudasharedmemory/status").text, R"([{"name":"g","device_id":1,"byte_size":16}])");
  EXPECT_THAT(http("GET", "/v2/systemsharedmemory/status").text, AllOf(HasSubstr("\"s\""), Not(HasSubstr("\"g\""))));
  EXPECT_EQ(http("GET", "/v2/cudasharedmemory/region/s/status").status, 404);
  EXPECT_THAT(add_cuda("s", register_body(raw_)).text, HasSubstr("already in manager")) << "names are of both kinds";
  EXPECT_EQ(http("POST", "/v2/systemsharedmemory/unregister").status, 200);
  EXPECT_EQ(http("GET", "/v2/systemsharedmemory/status").text, "[]");
  EXPECT_EQ(cuda_memory_.open_count(), 1);
  EXPECT_EQ(http("POST", "/v2/systemsharedmemory/region/g/unregister").status, 200);
  EXPECT_EQ(cuda_memory_.open_count(), 1) << "it is none of the system's";
  EXPECT_EQ(http("POST", "/v2/cudasharedmemory/region/g/unregister").status, 200);
  EXPECT_EQ(cuda_memory_.open_count(), 0);
  EXPECT_THAT(http("GET", "/v2").text, HasSubstr("\"cuda_shared_memory\""));
}

TEST_F(GpuMemory, ByGrpc) {
  inference::CudaSharedMemoryRegisterRequest wanted;
  inference::CudaSharedMemoryRegisterResponse registered;
  wanted.set_name("g");
  wanted.set_raw_handle(raw_);
  wanted.set_byte_size(16);
  ASSERT_TRUE(ask("CudaSharedMemoryRegister", wanted, registered).ok());
  inference::CudaSharedMemoryStatusRequest status;
  inference::CudaSharedMemoryStatusResponse regions;
  ASSERT_TRUE(ask("CudaSharedMemoryStatus", status, regions).ok());
  EXPECT_EQ(regions.regions().at("g").byte_size(), 16U);
  wanted.set_name("h");
  wanted.set_device_id(7);
  EXPECT_THAT(ask("CudaSharedMemoryRegister", wanted, registered).message(), HasSubstr("there is no GPU 7"));
  inference::CudaSharedMemoryUnregisterRequest all;
  inference::CudaSharedMemoryUnregisterResponse done;
  EXPECT_TRUE(ask("CudaSharedMemoryUnregister", all, done).ok());
  EXPECT_EQ(cuda_memory_.open_count(), 0);
}

TEST_F(GpuMemory, WhatIsNoRegionIsRefused) {
  EXPECT_THAT(add_cuda("r", "{}").text, HasSubstr("Shared memory register request has no 'raw_handle' field"));
  EXPECT_THAT(add_cuda("r", R"({"raw_handle":{"b64":"%"},"device_id":0,"byte_size":1})").text,
              HasSubstr("valid base64"));
  EXPECT_THAT(add_cuda("r", register_body("short")).text, HasSubstr("which has 64 bytes, not 5"));
  EXPECT_THAT(add_cuda("r", register_body(std::string(64, 'x'))).text, HasSubstr("opens nothing on GPU 1: FAKE_ERROR"));
  EXPECT_THAT(add_cuda("r", register_body(raw_, 1, 17)).text, HasSubstr("its memory has 16 bytes"));
  EXPECT_THAT(add_cuda("r", register_body(raw_, 1, 0)).text, HasSubstr("its byte_size is 0"));
  EXPECT_EQ(http("POST", "/v2/cudasharedmemory/register", register_body(raw_)).status, 400);
  EXPECT_EQ(cuda_memory_.open_count(), 0);
}

class GpuMemoryOfSomeKeys : public GpuMemory {
 protected:
  GpuMemoryOfSomeKeys() : GpuMemory({"/ml_"}) {}
};

TEST_F(GpuMemoryOfSomeKeys, IsRefused) {
  const Answer refused = add_cuda("r", register_body(raw_));
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(refused.text, HasSubstr("memory of GPUs has no keys"));
  EXPECT_THAT(http("GET", "/v2").text, Not(HasSubstr("cuda")));
}

}  // namespace
}  // namespace modelmill::kserve_v2
