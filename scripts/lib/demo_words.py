"""What scripts/demo says, in English and Chinese. Nothing is done here."""

WORDS = {
    "title1": ("Lab 1: two web servers share the address 192.168.4.80", "实验一：两台 Web 服务器共用浮动地址 192.168.4.80"),
    "title2": ("Lab 2: two LVS directors with the address 192.168.4.15 in front of two web servers",
               "实验二：两台 LVS 调度器（VIP 192.168.4.15），后端两台 Web 服务器"),
    "network1": ("The network: web1 192.168.4.100, web2 192.168.4.200, the client proxy 192.168.4.5",
                 "网络：web1 192.168.4.100，web2 192.168.4.200，客户端 proxy 192.168.4.5"),
    "network2": ("The network: lvs1 .5, lvs2 .6, web1 .100, web2 .200, client .77; the web servers get the address for LVS-DR",
                 "网络：lvs1 .5，lvs2 .6，web1 .100，web2 .200，client .77；Web 服务器按 LVS-DR 配置 VIP"),
    "import": ("The tutorial's keepalived.conf files become vipkit.toml, as their author meant them",
               "把教程的 keepalived.conf 按作者的本意转换成 vipkit.toml"),
    "start1": ("healthcheckd and vrrpd start on web1 (priority 100) and web2 (50)",
               "在 web1（优先级 100）和 web2（50）上启动 healthcheckd 和 vrrpd"),
    "start2": ("healthcheckd, ipvs-sync and vrrpd start on both directors", "在两台调度器上启动 healthcheckd、ipvs-sync、vrrpd"),
    "web1_dies": ("web1 is switched off", "web1 关机"),
    "web1_back": ("web1 is back", "web1 恢复"),
    "tracked": ("From now on the address follows the web servers as well, as in the tutorial's vipkit.toml",
                "从现在起，浮动地址也跟随 Web 服务，配置与教程的 vipkit.toml 相同"),
    "server_dies": ("The web server on web1 is stopped", "停止 web1 上的 Web 服务"),
    "server_back": ("The web server on web1 is started again", "重新启动 web1 上的 Web 服务"),
    "lvs1_dies": ("lvs1 is switched off", "lvs1 关机"),
    "vip_on": ("{vip} is on {host} alone", "{vip} 只在 {host} 上"),
    "answers": ("{vip} answers: {wanted}", "访问 {vip} 得到：{wanted}"),
    "effective": ("priority of {host}: {wanted}", "{host} 的优先级：{wanted}"),
    "table": ("weights on {host}: {wanted}", "{host} 上的权重：{wanted}"),
    "shares": ("answers: {wanted}", "应答次数：{wanted}"),
    "expected": ("expected", "预期"),
    "seen": ("seen", "实际"),
    "took": ("after", "用时"),
    "result": ("result", "结果"),
    "lab": ("lab", "实验"),
    "ended": ("the lab is run to its end", "实验运行到结束"),
    "stopped": ("Stopped: everything is taken away again.", "已中断，所有内容已清除。"),
    "keep": ("Lab 1 stays up. Look around:\n"
             "  ip netns exec {namespace} env VIPKIT_RUNTIME_DIR={folder} {vipctl} status\n"
             "  ip netns exec vipkit-demo-proxy curl http://{vip}/\n"
             "  ip -n vipkit-demo-switch link set web1 down      # pull web1's cable\n"
             "Take it down:\n  scripts/demo --down",
             "实验一保持运行，可以这样查看：\n"
             "  ip netns exec {namespace} env VIPKIT_RUNTIME_DIR={folder} {vipctl} status\n"
             "  ip netns exec vipkit-demo-proxy curl http://{vip}/\n"
             "  ip -n vipkit-demo-switch link set web1 down      # 拔掉 web1 的网线\n"
             "全部清除：\n  scripts/demo --down"),
    "vm": ("This kernel has no IPVS: a virtual machine boots for lab 2 (about 20 s)",
           "本机内核没有 IPVS：启动虚拟机运行实验二（约 20 秒）"),
    "build": ("Building vipkit", "编译 vipkit"),
    "good": ("All as expected.", "全部符合预期。"),
    "bad": ("Something differs: see DIFFERS above.", "有不符合预期之处：见上面的 DIFFERS。"),
}


def words(language):
    """The words of a language, by key."""
    column = 1 if language == "zh" else 0
    return {key: row[column] for key, row in WORDS.items()}
