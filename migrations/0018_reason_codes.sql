-- Why something was judged as it was is a code; its sentence, in Chinese and in English, is made when it is read (SQL of
-- evaluations: rules.alerts; the sentences: rules.wording). A sentence is no part of what is compared with the newest
-- judgement of a subject, so another wording makes no new judgement and no new version of an alert.
--
-- Rows of before keep their words, in two columns. Alert versions stay as they were published.

ALTER TABLE evaluations
    ADD COLUMN reason_code  text,   -- null: written before there were codes, and no code is known for its words
    ADD COLUMN reason_named jsonb,  -- what the sentence of the reason names, such as orders; null = nothing
    ADD COLUMN reason_en    text,   -- the words of rows of before there were codes, like reason
    ALTER COLUMN reason DROP NOT NULL;

CREATE TEMPORARY TABLE reasons_of_before (
    rule text NOT NULL, code text NOT NULL, words text NOT NULL, PRIMARY KEY (rule, words)
) ON COMMIT DROP;
INSERT INTO reasons_of_before VALUES
    ('location', 'driving_outside', '无派车任务驶出围栏，仍在围栏外 · outside the fence without an order, not over yet'),
    ('location', 'returned_to_fence', '无派车任务驶出围栏，已返回 · outside the fence without an order, returned'),
    ('location', 'order_started', '无派车任务驶出围栏，至派车任务开始 · outside the fence without an order, until an order started'),
    ('location', 'parked', '无派车任务驶出围栏，至停车 · outside the fence without an order, until it parked'),
    ('location', 'not_official', '无派车任务驶出围栏，至不再登记为公务用车 · outside the fence without an order, until it was no official vehicle'),
    ('location', 'fence_withdrawn', '无派车任务驶出围栏，至围栏撤销 · outside the fence without an order, until the fence was withdrawn'),
    ('location', 'no_episode', '无疑似轨迹 · no drive outside the fence without an order'),
    ('destination', 'reached', '轨迹到过目的地 · the track reached the destination'),
    ('destination', 'not_reached', '轨迹未到目的地 · the track did not reach the destination'),
    ('destination', 'no_coordinates', '目的地没有坐标 · the destination has no coordinates'),
    ('destination', 'no_track', '没有可用轨迹 · no usable track'),
    ('destination', 'gap', '轨迹中断期间可能到过目的地 · may have been there during a gap of the track'),
    ('mileage', 'exceeds', '实际里程达到导航里程的限定倍数 · driven at least the limit times the navigation mileage'),
    ('mileage', 'within', '实际里程未达到导航里程的限定倍数 · driven less than the limit times the navigation mileage'),
    ('mileage', 'no_origin', '派车单没有带坐标的出发地 · the order has no origin with coordinates'),
    ('mileage', 'no_destination', '派车单没有目的地 · the order has no destination'),
    ('mileage', 'no_coordinates', '派车单有地点没有坐标 · a place of the order has no coordinates'),
    ('mileage', 'too_long', '派车单超过 31 天 · the order took more than 31 days'),
    ('mileage', 'no_track', '没有可用的行驶轨迹 · no usable track'),
    ('mileage', 'no_route', '导航引擎给不出可信的路线 · the engine gives no credible route'),
    ('mileage', 'no_distance', '出发地、目的地与返回点之间没有导航里程 · the places of the order are one place'),
    ('mileage', 'poor_coverage', '轨迹中断过多，实际里程不可信 · too much of the track is missing'),
    ('mileage', 'results_differ', '冻结的轨迹算不出该里程 · the frozen track does not give this mileage'),
    ('fuel_consumption', 'higher', '百公里油耗比前期高出规定比例以上 · consumption is higher than before by the limit or more'),
    ('fuel_consumption', 'within', '百公里油耗未高出规定比例 · consumption is not higher by the limit'),
    ('fuel_consumption', 'baseline_months', '前期月份的数据不足 · too few months with data before'),
    ('fuel_consumption', 'mileage', '行驶里程不足 · too few kilometres'),
    ('fuel_consumption', 'fills', '加油次数不足 · too few fills'),
    ('fuel_consumption', 'no_track', '有行程没有轨迹或轨迹不全，里程不明 · trips without a track or a whole one: their kilometres are unknown'),
    ('fuel_consumption', 'no_quantity', '有加油记录没有数量 · fills without a quantity'),
    ('fuel_consumption', 'nothing', '本月不再有该驾驶员的行程和加油 · the driver has no trips and fills in this month any more'),
    ('card_binding', 'official', '绑定期间一直是公务用车 · an official vehicle for the whole binding'),
    ('card_binding', 'not_official', '绑定的车牌不是登记的公务用车 · the plate is not that of a registered official vehicle'),
    ('card_binding', 'disposed', '绑定的公务用车已处置 · the official vehicle was disposed of'),
    ('card_binding', 'closed_undated', '油卡已停用但没有停用日期 · the card is out of use, the day is not known'),
    ('card_binding', 'not_bound', '油卡未绑定车辆 · the card is bound to no vehicle'),
    ('card_binding', 'bound', '油卡已绑定车辆 · the card is bound to a vehicle'),
    ('card_binding', 'not_bound_yet', '油卡未绑定车辆未超过宽限 · not bound, within the days of grace'),
    ('card_binding', 'inactive', '油卡已停用 · the card is out of use'),
    ('card_binding', 'gone', '该绑定记录已删除或更改 · the binding was deleted or changed'),
    ('card_use', 'entered', '车辆在加油时间进入过该加油站 · the vehicle was in the station around that time'),
    ('card_use', 'not_entered', '车辆在加油时间未进入该加油站 · the vehicle was not in the station around that time'),
    ('card_use', 'no_fill', '不是加油，或已冲正 · no fill, or taken back'),
    ('card_use', 'not_bound', '油卡当时未绑定车牌 · the card was bound to no plate then'),
    ('card_use', 'not_official', '油卡当时绑定的不是登记的公务用车 · the card was bound to no registered official vehicle then'),
    ('card_use', 'station_unknown', '交易网点未对应到加油站 · the station of the transaction is not known'),
    ('card_use', 'no_coordinates', '加油站没有坐标 · the station has no coordinates'),
    ('card_use', 'no_track', '没有可用的行驶轨迹 · no usable track'),
    ('card_use', 'gap', '轨迹中断期间车辆可能到过加油站 · may have been in the station during a gap of the track'),
    ('card_use', 'poor_coverage', '加油前后轨迹缺失过多 · too much of the track around that time is missing'),
    ('card_use', 'gone', '该加油记录已删除 · the transaction is no more'),
    ('refuel_frequency', 'often', '两次派单之间加油次数达到限值 · fills between two orders reach the limit'),
    ('refuel_frequency', 'few', '两次派单之间加油次数未达到限值 · fewer fills between two orders than the limit'),
    ('refuel_frequency', 'gone', '派车单、绑定或加油记录已更改，该时段不再有加油 · orders, binding or transactions changed: there are no fills in this stretch any more'),
    ('traffic_violations', 'repeated', '一个月内违章次数达到限值 · violations within a month reach the limit'),
    ('traffic_violations', 'few', '一个月内违章次数未达到限值 · fewer violations within a month than the limit'),
    ('traffic_violations', 'none', '本月没有计入的违章 · no violation of this month counts'),
    ('traffic_violations', 'other_unit', '该单位的违章按另一口径（车辆或驾驶员）统计 · violations are counted by the other unit, vehicle or driver'),
    ('traffic_violations', 'gone', '该车辆或驾驶员已不存在 · the vehicle or driver is no more'),
    ('terminal_silent', 'displaced', '失联期间车辆位置变动 · the vehicle was elsewhere after the silence'),
    ('terminal_silent', 'odometer', '失联期间里程表增加 · the odometer counted during the silence'),
    ('terminal_silent', 'unplugged', '终端主电源断开后失联 · silent after loss of main power'),
    ('terminal_silent', 'asleep', '失联前后车辆未移动，视为终端休眠 · the vehicle did not move, the terminal slept'),
    ('terminal_silent', 'workshop', '维修或年检派车任务期间断电，车辆未移动 · without power at a workshop, not moved'),
    ('terminal_silent', 'reporting', '当日没有达到时长的失联 · no silence of that length began on that day'),
    ('terminal_silent', 'peers_silent', '同期其他车辆也没有实时定位，可能是网络故障 · others were silent too, maybe a failure of the network'),
    ('terminal_silent', 'still_silent', '仍在失联，尚无位置变动证据 · not over yet, and no sign of displacement'),
    ('terminal_silent', 'unconfirmed', '恢复后定位不足两个，无法确认位置 · fewer than two fixes after it'),
    ('terminal_silent', 'terminal_changed', '失联期间终端被拆换或解绑 · the terminal was unbound or exchanged in between'),
    ('terminal_silent', 'no_fix', '全天没有可用定位，与失联开始之日一并判断 · no fix all day, judged with the day on which the silence began'),
    ('terminal_silent', 'not_official', '当日不是在册公务车 · no official vehicle on that day'),
    ('terminal_silent', 'no_terminal', '当日未绑定终端 · no terminal was bound on that day'),
    ('off_hours', 'night', '夜间无派车任务行驶 · drove at night without an order that allows it'),
    ('off_hours', 'rest_day', '休息日无派车任务行驶 · drove on a day off without an order that allows it'),
    ('off_hours', 'calendar_unknown', '当年工作日安排尚未公布 · whether the day is worked is not published yet'),
    ('off_hours', 'no_track', '当日没有可用轨迹 · no usable track on that day'),
    ('off_hours', 'none', '非工作时间无派车任务行驶为零 · no driving off hours without an order'),
    ('off_hours', 'short', '非工作时间行驶不足下限 · less driving off hours than the limit'),
    ('off_hours', 'not_official', '当日不是在册公务车 · no official vehicle on that day'),
    ('off_hours', 'no_terminal', '当日未绑定终端 · no terminal was bound on that day'),
    ('destination', 'order_reassigned', '派车单已改派其他车辆 · the dispatch order went to another vehicle'),
    ('destination', 'order_cancelled', '派车单已取消 · the dispatch order was cancelled'),
    ('destination', 'order_reopened', '派车单已重新打开 · the dispatch order was opened again'),
    ('mileage', 'order_reassigned', '派车单已改派其他车辆 · the dispatch order went to another vehicle'),
    ('mileage', 'order_cancelled', '派车单已取消 · the dispatch order was cancelled'),
    ('mileage', 'order_reopened', '派车单已重新打开 · the dispatch order was opened again'),
    ('destination', 'destination_removed', '派车单不再有该目的地 · the dispatch order no longer has this destination'),
    ('location', 'not_official_then', '该时段车辆不是登记的公务用车 · the vehicle was no registered official vehicle at that time'),
    ('location', 'no_fence', '该时段车辆没有电子围栏 · the vehicle had no fence at that time'),
    ('location', 'merged', '与同车另一次驶出合并 · merged with another episode of the vehicle'),
    ('location', 'no_longer_holds', '补传轨迹或变更围栏后不再成立 · no longer holds on the complete track and the fence in force');
ANALYZE reasons_of_before;

UPDATE evaluations e SET
    reason = split_part(e.reason, ' · ', 1),
    reason_en = CASE WHEN strpos(e.reason, ' · ') > 0 THEN substr(e.reason, strpos(e.reason, ' · ') + 3) END,
    reason_code = COALESCE(
        (SELECT k.code FROM reasons_of_before k WHERE k.rule = e.rule AND k.words = e.reason),
        CASE WHEN e.rule = 'location' AND e.reason LIKE '该时段已有派车单 %' THEN 'covered_by_order'
             WHEN e.rule = 'mileage' AND e.reason LIKE '导航引擎给不出可信的路线：%' THEN 'no_route' END
    ),
    reason_named = CASE
        WHEN e.rule = 'location' AND e.reason LIKE '该时段已有派车单 %'
        THEN jsonb_build_object('orders', substr(split_part(e.reason, ' · ', 1), length('该时段已有派车单 ') + 1))
        WHEN e.rule = 'mileage' AND e.reason LIKE '导航引擎给不出可信的路线：% · the engine gives no credible route: %'
        THEN jsonb_build_object(
            'problem', substr(split_part(e.reason, ' · ', 1), length('导航引擎给不出可信的路线：') + 1),
            'problem_en', substr(
                e.reason,
                strpos(e.reason, ' · the engine gives no credible route: ') + length(' · the engine gives no credible route: ')
            )
        )
    END;

-- What publish_feed puts into the feed it is told: nobody looks for versions by their time any more.
DROP INDEX IF EXISTS alert_versions_created;

-- Why an engine gives no route, in two columns as well.
ALTER TABLE navigation_routes ADD COLUMN problem_en text NOT NULL DEFAULT '';
UPDATE navigation_routes SET
    problem = split_part(problem, ' · ', 1),
    problem_en = substr(problem, strpos(problem, ' · ') + 3)
WHERE strpos(problem, ' · ') > 0;
