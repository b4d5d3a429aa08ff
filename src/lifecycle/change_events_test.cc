#include "lifecycle/change_events.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/testing/temp_folder.h"

namespace modelmill {
namespace {

TimePoint soon() { return Clock::now() + std::chrono::seconds(60); }

class ChangeEventsTest : public testing::Test {
 protected:
  const TempFolder folder_;
  ChangeEvents events_;
};

TEST_F(ChangeEventsTest, TellsOfFilesInWatchedFoldersOnly) {
  folder_.make("a");
  folder_.make("b");
  ASSERT_TRUE(events_.watch({folder_ / "a"}).ok());
  folder_.write("b/file");
  EXPECT_FALSE(events_.wait_until(Clock::now()));
  folder_.write("a/file");
  EXPECT_TRUE(events_.wait_until(soon()));
  EXPECT_FALSE(events_.wait_until(Clock::now())) << "told once";
  std::filesystem::remove(folder_ / "a/file");
  EXPECT_TRUE(events_.wait_until(soon()));
}

TEST_F(ChangeEventsTest, OfAFileItWatchesTheFolder) {
  const std::string file = folder_.write("m.onnx");
  ASSERT_TRUE(events_.watch({file}).ok());
  std::filesystem::rename(folder_.write("m.new"), file);
  EXPECT_TRUE(events_.wait_until(soon()));
}

TEST_F(ChangeEventsTest, WatchesWhatIsNamedLast) {
  folder_.make("a");
  folder_.make("b");
  ASSERT_TRUE(events_.watch({folder_ / "a"}).ok());
  ASSERT_TRUE(events_.watch({folder_ / "b", folder_ / "missing/x"}).ok());
  (void)events_.wait_until(Clock::now());  // that a is not watched any more is told too
  folder_.write("a/file");
  EXPECT_FALSE(events_.wait_until(Clock::now()));
  folder_.write("b/file");
  EXPECT_TRUE(events_.wait_until(soon()));
}

TEST_F(ChangeEventsTest, IsWoken) {
  std::thread waker([&] { events_.wake(); });
  EXPECT_FALSE(events_.wait_until(kNever));
  waker.join();
}

}  // namespace
}  // namespace modelmill
