#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "debounce.h"

using namespace gripper;

namespace {

// Plays edges and the main loop's polls in order of time; what was reported.
struct Player {
  Debouncer debouncer;
  std::vector<ButtonChange> changes;
  bool level = false;

  void play(const std::vector<Edge> &edges, uint32_t start_us, uint32_t end_us, uint32_t turn_us = 200) {
    size_t next = 0;
    for (uint32_t t = start_us; elapsed_us(t, end_us) > 0; t += turn_us) {
      while (next < edges.size() && elapsed_us(edges[next].t_us, t) >= 0) {
        debouncer.edge(edges[next]);
        level = edges[next++].pressed;
      }
      ButtonChange change;
      if (debouncer.poll(t, level, change)) changes.push_back(change);
    }
  }
};

}  // namespace

TEST_CASE("a clean press is reported once, at its edge") {
  Player player;
  player.play({{5000, true}}, 0, 100000);
  REQUIRE(player.changes.size() == 1);
  CHECK(player.changes[0].t_us == 5000);
  CHECK(player.changes[0].pressed);
  CHECK(player.changes[0].edges == 1);
}

TEST_CASE("random bouncing up to 10 ms never yields a second event or another time") {
  std::mt19937 random(3);
  for (int round = 0; round < 2000; round++) {
    Player player;
    const uint32_t start = uint32_t(0xFFFFFF00u + random() % 512);  // across the wrap of the clock
    std::vector<uint32_t> offsets;
    for (uint32_t n = random() % 10 * 2; n; n--) offsets.push_back(1 + random() % 10000);
    std::sort(offsets.begin(), offsets.end());
    std::vector<Edge> edges = {{start, true}};
    for (uint32_t offset : offsets) edges.push_back({start + offset, !edges.back().pressed});
    player.play(edges, start - 1000, start + 60000);
    REQUIRE(player.changes.size() == 1);
    REQUIRE(player.changes[0].t_us == start);
    REQUIRE(player.changes[0].pressed);
    REQUIRE(player.changes[0].edges == edges.size());
  }
}

TEST_CASE("a press shorter than the debounce time is counted, not reported") {
  Player player;
  player.play({{1000, true}, {6000, false}}, 0, 50000);
  CHECK(player.changes.empty());
  CHECK(player.debouncer.short_presses() == 1);
}

TEST_CASE("a short gap in a long press is no short press") {
  Player player;
  player.play({{1000, true}, {50000, false}, {52000, true}}, 0, 100000);
  CHECK(player.changes.size() == 1);
  CHECK(player.debouncer.short_presses() == 0);
}

TEST_CASE("a change whose edge was lost is still noticed") {
  Debouncer debouncer;
  ButtonChange change;
  bool found = false;
  for (uint32_t t = 0; t < 50000; t += 100) found |= debouncer.poll(t, t >= 10000, change);
  REQUIRE(found);
  CHECK(change.pressed);
  CHECK(change.t_us == 10100);
}

TEST_CASE("an edge between reading the edges and the pin keeps its own time") {
  Debouncer debouncer;
  ButtonChange change;
  CHECK_FALSE(debouncer.poll(1000, true, change));  // the pin is ahead of the edges
  debouncer.edge({1007, true});
  CHECK_FALSE(debouncer.poll(1200, true, change));
  REQUIRE(debouncer.poll(1007 + DEBOUNCE_US, true, change));
  CHECK(change.t_us == 1007);
  CHECK(change.edges == 1);
}

TEST_CASE("before every change, and only then, it says that one may settle") {
  Debouncer debouncer;
  ButtonChange change;
  CHECK_FALSE(debouncer.settles_within(2500, 0));
  debouncer.edge({1000, true});
  CHECK_FALSE(debouncer.settles_within(2500, 1000 + DEBOUNCE_US - 2501));
  CHECK(debouncer.settles_within(2500, 1000 + DEBOUNCE_US - 2500));
  REQUIRE(debouncer.poll(1000 + DEBOUNCE_US, true, change));
  CHECK_FALSE(debouncer.settles_within(2500, 1000 + DEBOUNCE_US));
}
