"""Pairs of posts, our own sentences: what tells the same, and what differs in the word that matters."""

APART = [
    # Opposite words.
    ("Quivolt's new drug meets its goal in a late trial", "Quivolt's new drug fails its goal in a late trial"),
    (
        "Regulators clear the takeover of Tidewell by Harbour Bank",
        "Regulators block the takeover of Tidewell by Harbour Bank",
    ),
    ("Health agency approves the heart pill of Northwater", "Health agency refuses the heart pill of Northwater"),
    ("A rate rise in autumn is likely, economists say", "A rate rise in autumn is unlikely, economists say"),
    ("Quivolt now expects more orders from Norway this year", "Quivolt now expects fewer orders from Norway this year"),
    (
        "Tidewell shareholders vote for the sale of the harbour unit",
        "Tidewell shareholders vote against the sale of the harbour unit",
    ),
    (
        "Agency changes its outlook for Harbour Bank to positive",
        "Agency changes its outlook for Harbour Bank to negative",
    ),
    ("Northwater stock closes the week at a record high", "Northwater stock closes the week at a record low"),
    ("Harbour Bank in talks with Tidewell about a merger", "Harbour Bank ends talks with Tidewell about a merger"),
    ("Quivolt to hire 300 engineers at its Bilbao plant", "Quivolt to fire 300 engineers at its Bilbao plant"),
    ("Quivolt hires its head of battery research in Osaka", "Quivolt fires its head of battery research in Osaka"),
    ("Northwater plans hiring at all its bottling plants", "Northwater plans layoffs at all its bottling plants"),
    ("Quivolt starts production of the small van in Lund", "Quivolt stops production of the small van in Lund"),
    ("Tidewell begins its buyback of shares this quarter", "Tidewell halts its buyback of shares this quarter"),
    ("Northwater confirms its forecast for the whole year", "Northwater withdraws its forecast for the whole year"),
    ("Tidewell confirms that it is for sale to a rival", "Tidewell denies that it is for sale to a rival"),
    ("Meadow fund takes a stake in the toy maker Pennyroyal", "Meadow fund exits a stake in the toy maker Pennyroyal"),
    (
        "Inspectors call the Pennyroyal toys safe for small children",
        "Inspectors call the Pennyroyal toys unsafe for small children",
    ),
    (
        "Quivolt resumes sales of the electric scooter in Spain",
        "Quivolt suspends sales of the electric scooter in Spain",
    ),
    ("Tidewell board accepts the offer of the Meadow fund", "Tidewell board rejects the offer of the Meadow fund"),
    ("Harbour Bank wins the case over its mortgage fees", "Harbour Bank loses the case over its mortgage fees"),
    ("Pennyroyal launches a wooden train for small children", "Pennyroyal recalls a wooden train for small children"),
    (
        "Test of the tidal turbine was a success, engineers say",
        "Test of the tidal turbine was a failure, engineers say",
    ),
    ("The week was good for owners of bank shares", "The week was bad for owners of bank shares"),
    ("The two founders agree about the price of the unit", "The two founders disagree about the price of the unit"),
    (
        "Northwater opens a large plant outside the town of Lund",
        "Northwater closes a large plant outside the town of Lund",
    ),
    ("Former minister joins the board of Harbour Bank", "Former minister leaves the board of Harbour Bank"),
    ("Quivolt expands its range of vans for small firms", "Quivolt shrinks its range of vans for small firms"),
    (
        "Pennyroyal results come early because of the new accounts",
        "Pennyroyal results come late because of the new accounts",
    ),
    ("Central bank eases its rules for mortgage lenders", "Central bank tightens its rules for mortgage lenders"),
    ("Growth of the service sector accelerates, a survey shows", "Growth of the service sector slows, a survey shows"),
    ("Jury finds the founder of Pennyroyal guilty of fraud", "Jury finds the founder of Pennyroyal innocent of fraud"),
    ("Mood among the shoppers of the north improves again", "Mood among the shoppers of the north worsens again"),
    ("Net inflow into bond funds for the third week", "Net outflow into bond funds for the third week"),
    ("Tidewell extends its contract with the port of Ghent", "Tidewell terminates its contract with the port of Ghent"),
    ("Minister sounds hawkish on rates before the meeting", "Minister sounds dovish on rates before the meeting"),
    ("Tidewell settles with the owners of the old ferry", "Tidewell sues with the owners of the old ferry"),
    ("Tidewell adds jobs in the yards of the south", "Tidewell sheds jobs in the yards of the south"),
    # Prefixes.
    (
        "The river unit of Northwater is profitable, the board says",
        "The river unit of Northwater is unprofitable, the board says",
    ),
    (
        "Court calls the strike of the dockers lawful and fair",
        "Court calls the strike of the dockers lawful and unfair",
    ),
    ("Investors of Pennyroyal are satisfied with the plan", "Investors of Pennyroyal are dissatisfied with the plan"),
    ("Quivolt reports its GAAP margin for the van unit", "Quivolt reports its non-GAAP margin for the van unit"),
    ("Shareholders call the pay of the board justified", "Shareholders call the pay of the board unjustified"),
    # One word put for another.
    ("Quivolt names a new chief financial officer in Lund", "Quivolt names a new chief product officer in Lund"),
    ("Harbour Bank sells its insurance arm to a rival", "Harbour Bank sells its leasing arm to a rival"),
    ("Northwater faces a probe over the water it bottles", "Northwater faces a probe over the wages it pays"),
    ("Union of the dockers accepts the wage plan", "Union of the dockers awaits the wage plan"),
    ("Strike at the southern port hits grain shipments", "Strike at the northern port hits grain shipments"),
    (
        "The board discussed a dividend for holders of the bonds",
        "The board discussed a haircut for holders of the bonds",
    ),
    ("Fire at the paper mill kills the night shift", "Fire at the paper mill spares the night shift"),
    # Who and whom.
    (
        "Quivolt overtakes Northwater in the league of exporters",
        "Northwater overtakes Quivolt in the league of exporters",
    ),
    ("Harbour Bank sues Tidewell over the failed merger", "Tidewell sues Harbour Bank over the failed merger"),
    (
        "Buyers outnumber sellers at the spring auction in Ghent",
        "Sellers outnumber buyers at the spring auction in Ghent",
    ),
    (
        "Quivolt overtakes Northwater in sales of vans to small firms",
        "Northwater overtakes Quivolt in sales of vans to small firms, a survey shows",
    ),
    # Units and dates.
    ("Harbour Bank to pay $5m over the mortgage fees", "Harbour Bank to pay $5bn over the mortgage fees"),
    ("Tidewell raises $5 million from its oldest owners", "Tidewell raises $5 billion from its oldest owners"),
    ("Quivolt sold 12k of its vans in the north", "Quivolt sold 12m of its vans in the north"),
    ("Tidewell wants to pay back the loan in March", "Tidewell wants to pay back the loan in May"),
    ("Northwater delays the start of its plant until May", "Northwater delays the start of its plant until June"),
    ("Central bank raises its rate by 25 bp", "Central bank raises its rate by 75 bp"),
]
"""Alike, but not the same."""

TOGETHER = [
    (
        "UPDATE 1-Quivolt recalls 40,000 vans over faulty brakes in the rain",
        "UPDATE 2-Quivolt recalls 40,000 vans over faulty brakes in the rain",
    ),
    ("Harbour Bank to pay $5m over the mortgage fees", "Harbour Bank to pay $5 million over the mortgage fees"),
    ("Harbour Bank to pay $5m over the mortgage fees", "Harbour Bank to pay USD 5.0 mln over the mortgage fees"),
    ("Tidewell raises $1.5 billion from its oldest owners", "Tidewell raises $1.5bn from its oldest owners"),
    ("Tidewell raises $1.5 billion from its oldest owners", "Tidewell raises $1,500m from its oldest owners"),
    ("Quivolt sold 10,000 of its vans in the north", "Quivolt sold 10K of its vans in the north"),
    ("Quivolt sold 10,000 of its vans in the north", "Quivolt sold ten thousand of its vans in the north"),
    ("Central bank raises its key rate by 75 bp", "Central bank raises its key rate by 0.75%"),
    ("Central bank raises its key rate by 75 basis points", "Central bank raises its key rate by 75bps"),
    ("Pennyroyal earns 41c a share in the spring quarter", "Pennyroyal earns $0.41 a share in the spring quarter"),
    ("Pennyroyal earns 41 cents a share in the spring quarter", "Pennyroyal earns $0.41 a share in the spring quarter"),
    ("Tidewell wants to pay back the loan in March", "Tidewell wants to pay back the whole loan in March"),
    ("Northwater closes its plant outside the town of Lund", "Northwater shuts its plant outside the town of Lund"),
    ("Quivolt shares jump after the battery day in Osaka", "Quivolt stock surges after the battery day in Osaka"),
    ("Harbour Bank buys the ferry unit of Tidewell", "Harbour Bank acquires the ferry unit of Tidewell"),
    ("Founder of Pennyroyal quits the board after a row", "Founder of Pennyroyal resigns from the board after a row"),
    (
        "Regulator opens a probe into mortgage fees at Harbour Bank",
        "Regulator opens an investigation into mortgage fees at Harbour Bank",
    ),
    ("Tidewell in talks on a deal with the port of Ghent", "Tidewell in talks on an agreement with the port of Ghent"),
    ("Tidewell is planning to sell the old ferries", "Tidewell plans to sell the old ferries"),
    (
        "Dockers agree to a new wage deal with the port of Ghent",
        "Dockers agreed to new wage deal with the port of Ghent",
    ),
    (
        "Strike at the northern port hits grain shipments",
        "BREAKING: Strike at the northern port hits grain shipments, union says",
    ),
    (
        "Strike at the northern port hits grain shipments",
        "This will hurt. Strike at the northern port hits grain shipments",
    ),
    ("Strike at the northern port hits grain shipments", "Port news: Strike at the northern port hits grain shipments"),
    (
        "slowHeron: Strike at the northern port hits grain shipments",
        "quietMeadow: Strike at the northern port hits grain shipments",
    ),
    ("Quivolt names a new chief financial officer in Lund", "Quivolt names new chief financial officer"),
    ("Quivolt names a new chief financial officer in Lund", "Quivolt appoints a new chief financial officer in Lund"),
    (
        "Quivolt overtakes Northwater in the league of exporters",
        "Quivolt overtakes Northwater in league of exporters, data show",
    ),
    (
        "Banks fall: Harbour, Tidewell and Meadow lose ground today",
        "Banks fall: Meadow, Tidewell and Harbour lose ground today",
    ),
    ("Fire at the paper mill stops the night shift", "Fire at the paper mill has stopped the night shift #Lund #mills"),
    (
        "Harbour Bank sells its insurance arm to a rival, sources say",
        "Harbour Bank sells its insurance arm to a rival, report says",
    ),
    ("Net inflow into bond funds for the third week", "Net inflow into bond funds for 3rd week"),
    (
        "Central bank eases its rules for mortgage lenders over the summer",
        "Central bank eases its rules for mortgage lenders over the su",
    ),
    ("Northwater raises its dividend after a good summer", "Northwater hikes its dividend after a good summer"),
    (
        "Tidewell\u2019s board rejects the offer of the Meadow fund",
        "Tidewell's board has rejected the offer of the Meadow fund…",
    ),
    ("The week was good for owners of bank shares", "the week was GOOD for owners of bank shares!!! $HRB $TDW"),
]
"""The same."""

UNSEEN_APART = [
    ("Harbour Bank is solvent, its auditors tell the court", "Harbour Bank is insolvent, its auditors tell the court"),
    ("Tidewell pays its debt to the port of Ghent", "Tidewell owes its debt to the port of Ghent"),
    (
        "Northwater hides the test results of its bottled water",
        "Northwater publishes the test results of its bottled water",
    ),
    (
        "Judge frees the founder of Pennyroyal after two nights",
        "Judge jails the founder of Pennyroyal after two nights",
    ),
    ("Volcano closes the airport used by Quivolt for parts", "Volcano spares the airport used by Quivolt for parts"),
    (
        "Minister praises the plan of Harbour Bank for branches",
        "Minister attacks the plan of Harbour Bank for branches",
    ),
    (
        "Quivolt chairman sells half of his shares in the firm",
        "Quivolt chairman doubles half of his shares in the firm",
    ),
    ("Quivolt deliveries double in the north of Spain", "Quivolt deliveries halve in the north of Spain"),
    ("The strike at the port of Lund is over, union says", "The strike at the port of Lund is on, union says"),
    ("Tidewell's credit rating is now investment grade", "Tidewell's credit rating is now junk grade"),
    ("Northwater passes the water test in the capital", "Northwater flunks the water test in the capital"),
    ("Harbour Bank freezes the accounts of the ferry firm", "Harbour Bank unfreezes the accounts of the ferry firm"),
    (
        "Pennyroyal is solid despite the loss of the toy contract",
        "Pennyroyal is shaky despite the loss of the toy contract",
    ),
    ("Bank of the north holds its rate as expected", "Bank of the north cuts its rate as expected"),
    ("Central bank to ease policy if prices fall", "Central bank to tighten policy if prices fall"),
    ("Quivolt to build vans with Tidewell", "Quivolt to build vans without Tidewell"),
    ("Harbour Bank buys Tidewell ferry unit for cash", "Tidewell buys Harbour Bank ferry unit for cash"),
    ("Meadow fund long on the toy maker Pennyroyal", "Meadow fund short on the toy maker Pennyroyal"),
    ("Analyst keeps Quivolt at buy, target 40", "Analyst keeps Quivolt at sell, target 40"),
    ("Shareholders back the chairman of Tidewell in a vote", "Shareholders oust the chairman of Tidewell in a vote"),
    ("Prices of oats to rise next month, traders say", "Prices of oats to ease next month, traders say"),
    ("Talks between the dockers and the port succeed", "Talks between the dockers and the port collapse"),
    ("Quivolt delivers the vans on time to the post office", "Quivolt delivers the vans too late to the post office"),
    ("Harbour Bank has enough capital, the regulator finds", "Harbour Bank lacks enough capital, the regulator finds"),
    ("Drug of Northwater helps patients in a small trial", "Drug of Northwater harms patients in a small trial"),
    ("Quivolt stock enters the index of large firms", "Quivolt stock drops out of the index of large firms"),
    ("Quivolt stock is added to the index", "Quivolt stock is removed from the index"),
    ("Pennyroyal survives the winter without new loans", "Pennyroyal survives the winter with new loans"),
    ("Only owners of the old bonds are paid", "All owners of the old bonds are paid"),
    ("Tidewell ferry sinks off the coast of Spain", "Tidewell ferry docks off the coast of Spain"),
    (
        "Harbour Bank said it would repay the state loan in full",
        "Harbour Bank said it would repay the state loan in part",
    ),
    ("Harbour Bank to report on Monday before the bell", "Harbour Bank to report on Monday after the bell"),
]
"""Written after the guards were, which have not been changed for them: one word makes the difference."""

UNSEEN_TOGETHER = [
    ("Quivolt to cut 900 jobs at its plant in Bilbao", "Quivolt to slash 900 jobs at its plant in Bilbao"),
    ("Quivolt to cut 900 jobs at its plant in Bilbao", "Quivolt will cut 900 jobs at Bilbao plant"),
    ("Harbour Bank hit by fraud claims in the north", "Harbour Bank is hit by claims of fraud in the north"),
    ("Tidewell seeks a buyer for its old ferries", "Tidewell is seeking buyer for its old ferries - report"),
    ("Northwater shares slide after profit warning", "Northwater shares tumble after profit warning"),
    ("Northwater shares slide after profit warning", "Northwater stock slides following profit warning"),
    ("Founder of Pennyroyal dies at the age of 81", "Founder of Pennyroyal dead at the age of 81"),
    (
        "Quivolt wins an order for 500 vans from the post office",
        "Quivolt gets an order for 500 vans from the post office",
    ),
    ("Quivolt wins an order for 500 vans from the post office", "Quivolt wins 500-van order from the post office"),
    ("Central bank leaves its key rate unchanged at 2%", "Central bank keeps its key rate unchanged at 2%"),
    ("Dockers in Ghent vote to strike over pay next week", "Dockers in Ghent vote to strike over wages next week"),
    ("Court fines Harbour Bank over its mortgage fees", "Court orders Harbour Bank fine over its mortgage fees"),
    ("Great read: why Tidewell may buy the port of Lund", "Must read: why Tidewell may buy the port of Lund"),
    ("Quivolt sees sales growth of 8% this year", "Quivolt expects sales growth of 8% this year"),
    ("Pennyroyal toys are sold out before the holidays", "Pennyroyal toys sold out ahead of the holidays"),
    ("Quivolt unveils its first electric lorry in Osaka", "Quivolt shows its first electric truck in Osaka"),
]
"""Written after the guards were, in other words than a copy has; three synonyms were taken from them since."""
