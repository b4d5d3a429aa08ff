#include "runtime/cuda_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "runtime/testing/fake_cuda.h"

namespace modelmill {
namespace {

using ::testing::HasSubstr;

TEST(CudaMemory, IsReadAndWritten) {
  testing::FakeCuda cuda;
  {
    const auto driver = CudaDriver::start(testing::FakeCuda::library());
    ASSERT_TRUE(driver.ok()) << driver.status().to_string();
    const auto mapping = (*driver)->open(cuda.handle(), 1, 16);
    ASSERT_TRUE(mapping.ok()) << mapping.status().to_string();
    cuda.memory()[4] = std::byte{7};
    std::byte read[2] = {};
    EXPECT_TRUE((*mapping)->read(4, read).ok());
    EXPECT_EQ(read[0], std::byte{7});
    const std::byte written[2] = {std::byte{1}, std::byte{2}};
    EXPECT_TRUE((*mapping)->write(14, written).ok());
    EXPECT_EQ(cuda.memory()[15], std::byte{2});
    EXPECT_EQ(cuda.open_count(), 1);
    EXPECT_EQ(cuda.context_depth(), 0) << "what was pushed is popped";
    cuda.break_copies();
    EXPECT_THAT((*mapping)->read(0, read).message(), HasSubstr("it can't be read: FAKE_ERROR"));
  }
  EXPECT_EQ(cuda.open_count(), 0) << "it is closed with its last holder";
}

TEST(CudaMemory, WhatCantBeOpenedIsTold) {
  testing::FakeCuda cuda;
  const auto driver = *CudaDriver::start(testing::FakeCuda::library());
  const auto refusal = [&](const CudaHandle& handle, int64_t gpu, uint64_t size) {
    return driver->open(handle, gpu, size).status().message();
  };
  EXPECT_EQ(refusal(cuda.handle(), 2, 16), "there is no GPU 2; this machine has 2");
  EXPECT_EQ(refusal(cuda.handle(), -1, 16), "there is no GPU -1; this machine has 2");
  EXPECT_THAT(refusal({}, 0, 16), HasSubstr("its handle opens nothing on GPU 0: FAKE_ERROR"));
  EXPECT_THAT(refusal(cuda.handle(), 0, 17), HasSubstr("byte_size is 17, and its memory has 16 bytes"));
  EXPECT_EQ(cuda.open_count(), 0);
}

/// Of a GPU that gives its context only once another GPU's memory has been read.
struct SlowGpu {
  std::atomic<bool> asked = false, other_was_read = false, waited_in_vain = false;
};
SlowGpu slow;

int retain_slowly(void** context, int device) {
  *context = &slow;
  if (device != 0) return 0;
  slow.asked = true;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!slow.other_was_read && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  slow.waited_in_vain = !slow.other_was_read;
  return 0;
}

TEST(CudaMemory, AGpuThatIsSlowToBeginHoldsUpNoOther) {
  testing::FakeCuda cuda;
  CudaDriver::Library library = testing::FakeCuda::library();
  library.retain_context = retain_slowly;
  const auto driver = *CudaDriver::start(library);
  std::jthread first([&] { EXPECT_TRUE(driver->open(cuda.handle(), 0, 16).ok()); });
  while (!slow.asked) std::this_thread::yield();
  {
    const auto mapping = driver->open(cuda.handle(), 1, 16);
    ASSERT_TRUE(mapping.ok());
    std::byte read[2] = {};
    EXPECT_TRUE((*mapping)->read(0, read).ok());
  }
  slow.other_was_read = true;
  first.join();
  EXPECT_FALSE(slow.waited_in_vain);
}

TEST(CudaMemory, MachinesWithoutGpus) {
  EXPECT_EQ(CudaDriver::start({}).status().code(), Code::kUnavailable);
  CudaDriver::Library library = testing::FakeCuda::library();
  library.init = [](unsigned) { return 100; };
  EXPECT_EQ(CudaDriver::start(library).status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace modelmill
